// How a session comes to be: from a token that somebody typed, or from the one-time code of a link.
import { ApiError, OfflineError } from "@/api/http";
import { startSession } from "@/api/session";
import type { Token } from "@/api/types";

/** Why it did not work; `message` is the server's sentence, where it has one that says more. */
export interface Refusal {
    kind: "wrong" | "code" | "offline" | "slow" | "other";
    message: string;
}

/** fetch without the present session: what is typed is what is checked, and a wrong one does not end the session there is. */
async function ask(method: string, path: string, options: { token?: string; body?: unknown }): Promise<Token> {
    let response: Response;
    try {
        response = await fetch(path, {
            method,
            headers: { Accept: "application/json", ...(options.token ? { Authorization: `Bearer ${options.token}` } : {}), ...(options.body ? { "Content-Type": "application/json" } : {}) },
            body: options.body ? JSON.stringify(options.body) : undefined,
            credentials: "omit",
            cache: "no-store",
        });
    } catch {
        throw new OfflineError();
    }
    const answer = (await response.json().catch(() => null)) as (Token & { detail?: unknown }) | null;
    if (response.ok && answer && Array.isArray(answer.scopes)) return answer;
    throw new ApiError(response.status, typeof answer?.detail === "string" ? answer.detail : `${response.status} ${response.statusText}`.trim());
}

function refusalOf(error: unknown, with_code: boolean): Refusal {
    if (error instanceof OfflineError) return { kind: "offline", message: "" };
    if (error instanceof ApiError) {
        if (error.status === 429) return { kind: "slow", message: error.message };
        if (with_code && error.status < 500) return { kind: "code", message: error.message };
        if (error.status === 401 || error.status === 403) return { kind: "wrong", message: "" };
        return { kind: "other", message: error.message };
    }
    return { kind: "other", message: String(error) };
}

/** What can stand in a header, as every token can; anything else need not be sent to be wrong. */
function isSendable(token: string): boolean {
    return /^[\x21-\x7e]+$/.test(token);
}

/** Sign in with a token; null when that worked. */
export async function signInWithToken(typed: string): Promise<Refusal | null> {
    const token = typed.trim().replace(/^Bearer\s+/i, "");
    if (!isSendable(token)) return { kind: "wrong", message: "" };
    try {
        startSession(token, await ask("GET", "/v1/account/tokens/current", { token }));
        return null;
    } catch (error) {
        return refusalOf(error, false);
    }
}

async function signInWithCode(code: string): Promise<Refusal | null> {
    try {
        const record = await ask("POST", "/v1/sign-in", { body: { code } });
        if (!record.token) return { kind: "other", message: "" };
        startSession(record.token, record);
        return null;
    } catch (error) {
        return refusalOf(error, true);
    }
}

/** The code of a fragment like "#code=abc". */
export function codeOf(hash: string): string | null {
    return new URLSearchParams(hash.replace(/^#/, "")).get("code") || null;
}

let under_way: Promise<Refusal | null> | null = null;

/** Take the code out of the address, so that nobody finds it there later, and only then use it. A code is used once, however often this is
 * called (StrictMode runs effects twice): later calls get the same answer. null: there is none. */
export function exchangeCode(): Promise<Refusal | null> | null {
    const code = codeOf(window.location.hash);
    if (code) {
        window.history.replaceState(window.history.state, "", window.location.pathname);
        under_way = signInWithCode(code);
    }
    return under_way;
}

/** The next visit of the page begins anew. */
export function forgetExchange(): void {
    under_way = null;
}
