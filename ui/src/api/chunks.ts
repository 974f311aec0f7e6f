// The page's own parts, which come from the server when they are first shown. While it cannot be reached they are waited for, as everything
// else is; without this the browser would show its own error page in place of ours. What the parts are is router.tsx's.
import { useSyncExternalStore } from "react";

const PAUSE_MS = 1500; // between looks at whether the server is back

const listeners = new Set<() => void>();
let waiting: Promise<void> | null = null;

function setWaiting(next: Promise<void> | null): void {
    waiting = next;
    for (const listener of listeners) listener();
}

/** Any answer will do: what it says does not matter. */
async function answers(): Promise<boolean> {
    return fetch("/healthz", { cache: "no-store", credentials: "omit" }).then(
        () => true,
        () => false,
    );
}

async function untilItAnswers(): Promise<void> {
    do await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    while (!(await answers()));
    setWaiting(null);
}

/** A dynamic import that outlasts a server that is away. A part that a server at hand does not have fails at once (it is a newer server). */
export async function patiently<T>(load: () => Promise<T>): Promise<T> {
    try {
        return await load();
    } catch (error) {
        if (await answers()) throw error;
        if (!waiting) setWaiting(untilItAnswers());
        await waiting;
        return load();
    }
}

/** Is a part of the page waited for? */
export function useWaitingForChunk(): boolean {
    return useSyncExternalStore(
        (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
        },
        () => waiting !== null,
    );
}
