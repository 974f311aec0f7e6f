// How queries behave: what is worth asking again, and when.
import { QueryClient } from "@tanstack/react-query";
import { ApiError, OfflineError } from "@/api/http";

const MOST_RETRIES = 3;

export function worthRetrying(failures: number, error: Error): boolean {
    if (error instanceof OfflineError) return true; // a server that restarts is back soon
    if (error instanceof ApiError) return (error.status === 429 || error.status >= 500) && failures < MOST_RETRIES;
    return false;
}

export function retryDelayMs(failures: number, error: Error): number {
    if (error instanceof ApiError && error.retryAfterSeconds) return error.retryAfterSeconds * 1000;
    return Math.min(500 * 2 ** failures, 4000);
}

export function makeQueryClient(): QueryClient {
    return new QueryClient({
        defaultOptions: {
            queries: { retry: worthRetrying, retryDelay: retryDelayMs, staleTime: 10_000, networkMode: "always" },
            mutations: { retry: false, networkMode: "always" },
        },
    });
}
