// The list of predictions: what the URL says as what the API is asked.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/http";
import { isEnded, isRefused } from "@/api/queries";
import type { Page, Prediction } from "@/api/types";

export interface ListSearch {
    model?: string;
    status?: string;
    source?: string;
    token?: string;
    after?: string; // days, as date fields have them: 2026-11-21
    before?: string;
    cursor?: string;
}
export const FILTERS = ["model", "status", "source", "token", "after", "before"] as const;

const PAGE_SIZE = 50;
const LIVE_MS = 2000; // while something is under way
const CALM_MS = 6000;

/** The moment a day of this browser's time zone begins (or the one after it); null when it is no day. */
export function dayStart(day: string | undefined, days_later = 0): string | null {
    const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day ?? "");
    if (!parts) return null;
    const date = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]) + days_later);
    return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

export function listParameters(search: ListSearch): Record<string, string | number | null | undefined> {
    return {
        model: search.model,
        status: search.status,
        source: search.source,
        token: search.token,
        created_after: dayStart(search.after),
        created_before: dayStart(search.before, 1), // the last day counts, too
        cursor: search.cursor,
        limit: PAGE_SIZE,
    };
}

/** The cursor in a page's `next` or `previous`. */
export function cursorOf(link: string | null | undefined): string | undefined {
    if (!link) return undefined;
    return new URL(link, window.location.origin).searchParams.get("cursor") ?? undefined;
}

export function predictionListQuery(search: ListSearch) {
    const query = listParameters(search);
    return queryOptions({
        queryKey: ["predictions", "list", query],
        queryFn: ({ signal }) => api<Page<Prediction>>("GET", "/v1/predictions", { query, signal }),
        placeholderData: keepPreviousData,
        staleTime: 0,
        // Not in a hidden tab (TanStack's default), and not what the server has refused: asking again changes nothing.
        refetchInterval: ({ state }) => (isRefused(state.error) ? false : state.data?.results.some((each) => !isEnded(each.status)) ? LIVE_MS : CALM_MS),
    });
}
