// The one batch of this tab: it goes on while other pages are shown, and the browser asks before it is lost.
import { useSyncExternalStore } from "react";
import { BatchQueue, type Snapshot } from "@/features/batch/queue";
import type { InputValues } from "@/features/run/prepare";

export const batch = new BatchQueue();

/** What was chosen last, so that coming back to the page finds it again. */
export const remembered: { target?: string; file_input?: string; values: Record<string, InputValues> } = { values: {} };

function askBeforeLeaving(event: BeforeUnloadEvent): void {
    event.preventDefault();
}
batch.subscribe(() => {
    if (batch.snapshot().active) window.addEventListener("beforeunload", askBeforeLeaving);
    else window.removeEventListener("beforeunload", askBeforeLeaving);
});

export function useBatch(): Snapshot {
    return useSyncExternalStore(batch.subscribe, batch.snapshot);
}
