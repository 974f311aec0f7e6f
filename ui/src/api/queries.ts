// What the page asks the server, as TanStack queries and plain calls. Features add their own beside their pages; here is what several share.
import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, ApiError, pathOf } from "@/api/http";
import type { ApiFunction, Json, Model, Page, Prediction, Progress, StoredFile, Token, Version, Weights } from "@/api/types";

const PAGES_MAX = 50; // of a list that is wanted whole; beyond that it is cut

export function isEnded(status: Prediction["status"]): boolean {
    return status !== "starting" && status !== "processing";
}

/** Was it refused for good? What is not there, or not allowed, is not asked for over and over. */
export function isRefused(error: Error | null): boolean {
    return error instanceof ApiError && error.status < 500 && error.status !== 429;
}

/** A list that comes in pages, whole. */
export async function everyPage<T>(path: string, signal?: AbortSignal): Promise<T[]> {
    const all: T[] = [];
    let next: string | null = path;
    for (let page = 0; next && page < PAGES_MAX; page++) {
        const answer: Page<T> = await api<Page<T>>("GET", next, { signal });
        all.push(...answer.results);
        next = answer.next ? pathOf(answer.next) : null;
    }
    return all;
}

export const modelsQuery = queryOptions({ queryKey: ["models"], queryFn: ({ signal }) => everyPage<Model>("/v1/models", signal), staleTime: 60_000 });

export function modelQuery(full_name: string) {
    return queryOptions({ queryKey: ["models", full_name], queryFn: ({ signal }) => api<Model>("GET", `/v1/models/${full_name}`, { signal }), staleTime: 60_000 });
}

export function versionsQuery(full_name: string) {
    return queryOptions({
        queryKey: ["models", full_name, "versions"],
        queryFn: ({ signal }) => everyPage<Version>(`/v1/models/${full_name}/versions`, signal),
        staleTime: 60_000,
    });
}

/** Functions of POST /api/<name>: what the tabs of the home page stand for. */
export const functionsQuery = queryOptions({
    queryKey: ["functions"],
    queryFn: async ({ signal }) => (await api<{ functions: ApiFunction[] }>("GET", "/api", { signal })).functions,
    staleTime: 60_000,
});

export const weightsQuery = queryOptions({
    queryKey: ["weights"],
    queryFn: ({ signal }) => api<{ memory_bytes: number; results: Weights[] }>("GET", "/v1/weights", { signal }),
    refetchInterval: (query) => (isRefused(query.state.error) ? false : query.state.data?.results.some((each) => each.state === "installing") ? 1000 : 15_000),
});

export function modelWeightsQuery(full_name: string) {
    return queryOptions({
        queryKey: ["weights", full_name],
        queryFn: ({ signal }) => api<Weights>("GET", `/v1/weights/${full_name}`, { signal }),
        refetchInterval: (query) => (isRefused(query.state.error) ? false : query.state.data?.state === "installing" ? 700 : 15_000),
    });
}

export function predictionQuery(id: string) {
    return queryOptions({
        queryKey: ["predictions", id],
        queryFn: ({ signal }) => api<Prediction>("GET", `/v1/predictions/${encodeURIComponent(id)}`, { signal }),
        refetchInterval: (query) => (isRefused(query.state.error) || (query.state.data && isEnded(query.state.data.status)) ? false : 700),
        staleTime: 0,
    });
}

export function progressQuery(id: string) {
    return queryOptions({
        queryKey: ["predictions", id, "progress"],
        queryFn: ({ signal }) => api<Progress>("GET", `/v1/predictions/${encodeURIComponent(id)}/progress`, { signal }),
        refetchInterval: (query) => (isRefused(query.state.error) || query.state.data?.phase === "ended" ? false : 700),
        staleTime: 0,
    });
}

export const currentTokenQuery = queryOptions({ queryKey: ["token"], queryFn: ({ signal }) => api<Token>("GET", "/v1/account/tokens/current", { signal }) });

export function useModel(full_name: string) {
    return useQuery(modelQuery(full_name));
}

/** Runs of the page are marked as such: the server keeps their data. */
export const FROM_PAGE = { "Mimeo-Source": "web" };

export function createPrediction(version: string, input: Record<string, Json>, signal?: AbortSignal): Promise<Prediction> {
    return api<Prediction>("POST", "/v1/predictions", { body: { version, input }, headers: FROM_PAGE, signal });
}

export function cancelPrediction(id: string): Promise<Prediction> {
    return api<Prediction>("POST", `/v1/predictions/${encodeURIComponent(id)}/cancel`);
}

/** Upload a file; its `urls.get` is what a file input takes. */
export function uploadFile(file: Blob, name: string, signal?: AbortSignal): Promise<StoredFile> {
    const form = new FormData();
    form.append("content", file, name);
    return api<StoredFile>("POST", "/v1/files", { body: form, signal });
}
