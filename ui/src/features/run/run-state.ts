// What a run of the page is at, as a pure reducer, and how it is kept over a reload. useRun (use-run.ts) does the calls.
import type { Prediction, Progress } from "@/api/types";
import { isEnded } from "@/api/queries";

/** What the page does about a run; what the server says comes on top (stateOf). */
export type RunPhase =
    | { kind: "idle" }
    | { kind: "preparing"; attempt: number; done: number; total: number; throttled_until_ms?: number }
    | { kind: "following"; id: string }
    | { kind: "refused"; error: Error };

export type RunEvent =
    | { kind: "started"; attempt: number }
    | { kind: "sent"; attempt: number; done: number; total: number }
    | { kind: "throttled"; attempt: number; until_ms: number | null }
    | { kind: "created"; attempt: number; id: string }
    | { kind: "refused"; attempt: number; error: Error }
    | { kind: "stopped"; attempt: number }
    | { kind: "lost"; id: string; error: Error }
    | { kind: "restored"; id: string }
    | { kind: "reset" };

export type RunState =
    | { kind: "idle" }
    | { kind: "preparing"; done: number; total: number; throttled_until_ms?: number }
    | { kind: "running"; prediction: Prediction; progress: Progress | undefined }
    | { kind: "ended"; prediction: Prediction }
    | { kind: "refused"; error: Error };

/** Events of an attempt that was given up meanwhile change nothing. */
export function reduceRun(phase: RunPhase, event: RunEvent): RunPhase {
    if (event.kind === "started") return { kind: "preparing", attempt: event.attempt, done: 0, total: 0 };
    if (event.kind === "reset") return { kind: "idle" };
    if (event.kind === "restored") return { kind: "following", id: event.id };
    if (event.kind === "lost") return phase.kind === "following" && phase.id === event.id ? { kind: "refused", error: event.error } : phase;
    if (phase.kind !== "preparing" || phase.attempt !== event.attempt) return phase;
    if (event.kind === "sent") return { ...phase, done: event.done, total: event.total };
    if (event.kind === "throttled") return { ...phase, throttled_until_ms: event.until_ms ?? undefined };
    if (event.kind === "created") return { kind: "following", id: event.id };
    if (event.kind === "stopped") return { kind: "idle" };
    return { kind: "refused", error: event.error };
}

export function stateOf(phase: RunPhase, prediction: Prediction | undefined, progress: Progress | undefined): RunState {
    if (phase.kind === "preparing") return { kind: "preparing", done: phase.done, total: phase.total, throttled_until_ms: phase.throttled_until_ms };
    if (phase.kind !== "following") return phase;
    if (!prediction) return { kind: "preparing", done: 0, total: 0 }; // after a reload, until the server has answered
    return isEnded(prediction.status) ? { kind: "ended", prediction } : { kind: "running", prediction, progress };
}

const PREFIX = "mimeo-run:";

export function keptRun(key: string): string | null {
    const id = sessionStorage.getItem(PREFIX + key);
    return id && /^\w{1,64}$/.test(id) ? id : null;
}

export function keepRun(key: string, id: string | null): void {
    if (id) sessionStorage.setItem(PREFIX + key, id);
    else sessionStorage.removeItem(PREFIX + key);
}
