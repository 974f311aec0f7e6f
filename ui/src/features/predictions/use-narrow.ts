// Is the window as narrow as a phone? For what needs another structure there, not just other sizes.
import { useSyncExternalStore } from "react";

const query = typeof window === "undefined" ? undefined : window.matchMedia?.("(max-width: 639px)");

export function useNarrow(): boolean {
    return useSyncExternalStore(
        (listener) => {
            query?.addEventListener("change", listener);
            return () => query?.removeEventListener("change", listener);
        },
        () => query?.matches ?? false,
    );
}
