// The account's tokens: list, make, revoke.
import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/http";
import type { Scope, Token } from "@/api/types";

export const tokensQuery = queryOptions({
    queryKey: ["tokens"],
    queryFn: async ({ signal }) => (await api<{ results: Token[] }>("GET", "/v1/account/tokens", { signal })).results,
});

export interface NewToken {
    name: string;
    scopes: Scope[];
    creates_per_minute?: number;
    predictions_per_day?: number;
    expires_in_s?: number;
}

/** The answer is the only one that has the token itself. */
export function createToken(wanted: NewToken): Promise<Token> {
    return api<Token>("POST", "/v1/account/tokens", { body: wanted });
}

export function revokeToken(id: string): Promise<void> {
    return api<void>("DELETE", `/v1/account/tokens/${encodeURIComponent(id)}`);
}
