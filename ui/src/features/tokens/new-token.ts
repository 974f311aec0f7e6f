// The form of a new token: what was typed, checked and as the server takes it. Pure.
import type { Scope } from "@/api/types";
import type { NewToken } from "@/api/tokens";

export const SCOPES: Scope[] = ["read", "run", "manage", "operate"];
export const NAME_MAX = 100; // characters; the server's
const NUMBER_MAX = 100_000_000; // the server's
const DAY_S = 86_400;

/** Choices of how long a token lives; "" is for ever. */
export const EXPIRIES = { "": null, day: DAY_S, week: 7 * DAY_S, month: 30 * DAY_S, quarter: 90 * DAY_S, year: 365 * DAY_S } as const;
export type Expiry = keyof typeof EXPIRIES;

export interface TokenDraft {
    name: string;
    scopes: Scope[];
    creates_per_minute: string;
    predictions_per_day: string;
    expiry: Expiry;
}
export type DraftField = "name" | "scopes" | "creates_per_minute" | "predictions_per_day";
export type DraftProblem = "name_missing" | "name_long" | "scopes_missing" | "number";

/** A whole number from 1 on, nothing for an empty field, null for anything else. */
export function readLimit(typed: string): number | undefined | null {
    const text = typed.trim();
    if (!text) return undefined;
    if (!/^\d{1,10}$/.test(text)) return null;
    const number = Number(text);
    return number >= 1 && number <= NUMBER_MAX ? number : null;
}

export function problemsOf(draft: TokenDraft): Partial<Record<DraftField, DraftProblem>> {
    const problems: Partial<Record<DraftField, DraftProblem>> = {};
    if (!draft.name.trim()) problems.name = "name_missing";
    else if ([...draft.name.trim()].length > NAME_MAX) problems.name = "name_long";
    if (draft.scopes.length === 0) problems.scopes = "scopes_missing";
    for (const field of ["creates_per_minute", "predictions_per_day"] as const) if (readLimit(draft[field]) === null) problems[field] = "number";
    return problems;
}

/** Only of a draft without problems. */
export function bodyOf(draft: TokenDraft): NewToken {
    return {
        name: draft.name.trim(),
        scopes: SCOPES.filter((scope) => draft.scopes.includes(scope)),
        creates_per_minute: readLimit(draft.creates_per_minute) ?? undefined,
        predictions_per_day: readLimit(draft.predictions_per_day) ?? undefined,
        expires_in_s: EXPIRIES[draft.expiry] ?? undefined,
    };
}
