// What was used, put together by day, model or token.
import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/http";
import type { Usage } from "@/api/types";
import type { Range } from "@/features/usage/days";

export function usageQuery(range: Range, group: string) {
    return queryOptions({
        queryKey: ["usage", range.from, range.to, group],
        queryFn: ({ signal }) => api<Usage>("GET", "/v1/account/usage", { query: { ...range, group }, signal }),
        refetchInterval: 60_000,
    });
}
