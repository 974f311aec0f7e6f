// The numbers of this server, now and in the last hours; loading and unloading models.
import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/http";
import type { History, Operations } from "@/api/types";

export type Span = "2h" | "1d";
export const SPAN_MS: Record<Span, number> = { "2h": 2 * 3_600_000, "1d": 24 * 3_600_000 };

export const operationsQuery = queryOptions({
    queryKey: ["operations"],
    queryFn: ({ signal }) => api<Operations>("GET", "/v1/operations", { signal }),
    refetchInterval: 2500,
    staleTime: 0,
});

export function historyQuery(span: Span) {
    return queryOptions({
        queryKey: ["operations", "history", span],
        queryFn: ({ signal }) => api<History>("GET", "/v1/operations/history", { query: { span }, signal }),
        refetchInterval: span === "2h" ? 5000 : 30_000,
        staleTime: 0,
    });
}

export function loadModel(model: string): Promise<unknown> {
    return api("POST", "/v1/operations/runners", { body: { model } });
}

export function unloadRunner(pid: number): Promise<void> {
    return api<void>("DELETE", `/v1/operations/runners/${pid}`);
}
