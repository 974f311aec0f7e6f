// What only a model's page asks the server.
import { queryOptions } from "@tanstack/react-query";
import { api, ApiError, send } from "@/api/http";
import { everyPage } from "@/api/queries";
import type { Prediction, Version } from "@/api/types";

export function versionQuery(full_name: string, id: string) {
    return queryOptions({
        queryKey: ["models", full_name, "versions", id],
        queryFn: ({ signal }) => api<Version>("GET", `/v1/models/${full_name}/versions/${encodeURIComponent(id)}`, { signal }),
        staleTime: Infinity, // a version never changes
    });
}

export function examplesQuery(full_name: string) {
    return queryOptions({ queryKey: ["models", full_name, "examples"], queryFn: ({ signal }) => everyPage<Prediction>(`/v1/models/${full_name}/examples`, signal), staleTime: 60_000 });
}

/** The README's text; null when there is none. */
export function readmeQuery(full_name: string) {
    return queryOptions({
        queryKey: ["models", full_name, "readme"],
        queryFn: async ({ signal }) => {
            try {
                return await (await send("GET", `/v1/models/${full_name}/readme`, { headers: { Accept: "text/plain, text/markdown" }, signal })).text();
            } catch (error) {
                if (error instanceof ApiError && error.status === 404) return null;
                throw error;
            }
        },
        staleTime: 60_000,
    });
}
