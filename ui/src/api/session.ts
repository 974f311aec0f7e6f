// Who is signed in: a token kept for the browser session (sessionStorage), never in a URL or a cookie, so no other site can make this
// browser use it. A new tab asks the others for it.
import { useSyncExternalStore } from "react";
import type { Scope, Token } from "@/api/types";

const KEY = "mimeo-session";
const CHANNEL = "mimeo-session";
const ASK_MS = 150; // how long a new tab waits for another one's answer

export interface Session {
    token: string;
    account: string;
    tokenId: string;
    scopes: Scope[];
}

export type EndReason = "signed-out" | "expired";

let session: Session | null = read();
let ended: EndReason | null = null;
const listeners = new Set<() => void>();
const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);

function read(): Session | null {
    try {
        const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Session | null;
        return kept && typeof kept.token === "string" ? kept : null;
    } catch {
        return null;
    }
}

function set(next: Session | null): void {
    session = next;
    if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
    else sessionStorage.removeItem(KEY);
    for (const listener of listeners) listener();
}

if (channel)
    channel.onmessage = (event: MessageEvent<{ kind: string; session?: Session }>) => {
        if (event.data.kind === "ask" && session) channel.postMessage({ kind: "here", session });
        if (event.data.kind === "here" && event.data.session && !session) set(event.data.session);
        if (event.data.kind === "end") {
            ended = "signed-out";
            forget();
            set(null);
        }
    };

/** Whoever signs out leaves nothing in this tab: no forms, no runs under way, no names of files. */
function forget(): void {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith("mimeo-")) sessionStorage.removeItem(key);
}

/** Before the first render of a tab that has no session: take over that of another tab, if one answers. */
export async function askOtherTabs(): Promise<void> {
    if (session || !channel) return;
    channel.postMessage({ kind: "ask" });
    await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ASK_MS);
        const stop = subscribe(() => {
            clearTimeout(timer);
            stop();
            resolve();
        });
    });
}

/** Call `listener` whenever a session begins or ends; gives back how to stop that. */
export function subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

export function currentToken(): string | null {
    return session?.token ?? null;
}

export function startSession(token: string, record: Token): void {
    ended = null;
    set({ token, account: record.account ?? "", tokenId: record.id, scopes: record.scopes });
    channel?.postMessage({ kind: "here", session });
}

export function endSession(reason: EndReason): void {
    ended = reason;
    if (reason === "signed-out") forget();
    set(null);
    if (reason === "signed-out") channel?.postMessage({ kind: "end" });
}

export function useSession(): Session | null {
    return useSyncExternalStore(subscribe, () => session);
}

/** Why there is no session any more; null when there never was one. */
export function endReason(): EndReason | null {
    return ended;
}

/** May this session's token do that? What it may not do is not offered. */
export function useMay(scope: Scope): boolean {
    return useSession()?.scopes.includes(scope) ?? false;
}
