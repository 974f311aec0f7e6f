// A picture's making on its way from the page it was dropped on to the page of its model. Kept in this browser tab, taken once.
import type { Json } from "@/api/types";
import type { Making } from "@/features/picture/making";

const KEY = "mimeo-restore";

/** The input it was made with, the seed among it where the model's own choice of seed is known. */
export function inputOf(making: Making): Record<string, Json> {
    return making.seed === undefined || making.input["seed"] !== undefined ? making.input : { ...making.input, seed: making.seed };
}

export function handOver(making: Making): void {
    sessionStorage.setItem(KEY, JSON.stringify({ model: making.model, input: inputOf(making) }));
}

/** What was handed over for that model, "owner/name"; null when there is nothing. */
export function takeOver(model: string): Record<string, Json> | null {
    try {
        const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as { model?: unknown; input?: unknown } | null;
        if (!kept || kept.model !== model || typeof kept.input !== "object" || kept.input === null) return null;
        sessionStorage.removeItem(KEY);
        return kept.input as Record<string, Json>;
    } catch {
        return null;
    }
}
