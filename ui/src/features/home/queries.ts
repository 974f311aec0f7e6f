// What the start page asks the server beside what all pages do.
import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/http";
import type { Version } from "@/api/types";

/** One version of a model, with its schema. It never changes. */
export function versionQuery(model: string, version: string) {
    return queryOptions({
        queryKey: ["models", model, "versions", version],
        queryFn: ({ signal }) => api<Version>("GET", `/v1/models/${model}/versions/${encodeURIComponent(version)}`, { signal }),
        staleTime: Infinity,
    });
}
