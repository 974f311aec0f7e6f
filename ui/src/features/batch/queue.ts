// Many files through one model: a few at a time, waiting when the server asks for it. The logic alone: what a run is comes from outside.
import { ApiError } from "@/api/http";
import type { Prediction } from "@/api/types";

export type ItemState = "waiting" | "sending" | "running" | "succeeded" | "failed" | "canceled";

export interface Item {
    readonly id: number;
    readonly file: File;
    readonly state: ItemState;
    readonly prediction?: Prediction;
    readonly error?: string;
}

/** One file to its end: gives the ended prediction, and before that, each state of it to onChange. Throws what stopped it; a 429 is tried again. */
export type Work = (file: File, onChange: (prediction: Prediction) => void, signal: AbortSignal) => Promise<Prediction>;

export interface Snapshot {
    items: readonly Item[];
    active: boolean;
    /** Until then the server takes nothing (Unix time in ms); null: it does. */
    waits_until: number | null;
}

export const AT_ONCE = 2; // so that one run waits while one goes: the runner is never idle, and others get their turn
export const MOST_FILES = 1000; // what a table still shows well
const DEFAULT_WAIT_S = 5; // after a 429 that does not say how long
const LONGEST_WAIT_S = 3600; // a daily limit: no use in waiting

export class BatchQueue {
    private items: Item[] = [];
    private work: Work | null = null;
    private stop = new AbortController();
    private under_way = 0;
    private waits_until: number | null = null;
    private timer: ReturnType<typeof setTimeout> | undefined;
    private next_id = 1;
    private listeners = new Set<() => void>();
    private shown: Snapshot = { items: [], active: false, waits_until: null };

    readonly subscribe = (listener: () => void): (() => void) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
    };
    readonly snapshot = (): Snapshot => this.shown;

    private changed(): void {
        const active = this.work !== null && this.items.some((item) => item.state === "waiting" || item.state === "sending" || item.state === "running");
        this.shown = { items: [...this.items], active, waits_until: this.waits_until };
        for (const listener of this.listeners) listener();
    }

    private set(id: number, change: Partial<Item>): void {
        this.items = this.items.map((item) => (item.id === id ? { ...item, ...change } : item));
        this.changed();
    }

    /** How many of them there was room for. */
    add(files: File[]): number {
        const taken = files.slice(0, Math.max(0, MOST_FILES - this.items.length));
        this.items = [...this.items, ...taken.map((file) => ({ id: this.next_id++, file, state: "waiting" as const }))];
        this.changed();
        this.pump();
        return taken.length;
    }

    /** Only one that is not under way. */
    remove(id: number): void {
        this.items = this.items.filter((item) => item.id !== id || item.state === "sending" || item.state === "running");
        this.changed();
    }

    clear(): void {
        if (this.shown.active) return;
        this.items = [];
        this.changed();
    }

    /** Run all that wait, by this work; the work stays for files that are added while it goes on. */
    start(work: Work): void {
        if (this.shown.active) return;
        this.work = work;
        this.stop = new AbortController();
        this.items = this.items.map((item) => (item.state === "canceled" ? { ...item, state: "waiting" as const, error: undefined } : item));
        this.changed();
        this.pump();
    }

    /** Those that failed wait again; they begin with the next start, or at once while others are under way. */
    retryFailed(): void {
        this.items = this.items.map((item) => (item.state === "failed" ? { ...item, state: "waiting" as const, error: undefined, prediction: undefined } : item));
        this.changed();
        this.pump();
    }

    cancelAll(): void {
        this.stop.abort();
        clearTimeout(this.timer);
        this.waits_until = null;
        this.work = null;
        this.items = this.items.map((item) => (item.state === "waiting" || item.state === "sending" || item.state === "running" ? { ...item, state: "canceled" as const } : item));
        this.changed();
    }

    private pump(): void {
        if (!this.work || this.waits_until !== null) return;
        while (this.under_way < AT_ONCE) {
            const next = this.items.find((item) => item.state === "waiting");
            if (!next) break;
            void this.runOne(next, this.work, this.stop.signal);
        }
        if (this.under_way === 0) this.work = null;
        if (this.work === null) this.changed();
    }

    private async runOne(item: Item, work: Work, signal: AbortSignal): Promise<void> {
        this.under_way += 1;
        this.set(item.id, { state: "sending", error: undefined });
        try {
            const onChange = (prediction: Prediction) => {
                if (!signal.aborted) this.set(item.id, { state: "running", prediction });
            };
            const ended = await work(item.file, onChange, signal);
            if (!signal.aborted) this.set(item.id, { state: ended.status === "succeeded" ? "succeeded" : ended.status === "failed" ? "failed" : "canceled", prediction: ended, error: ended.error ?? undefined });
        } catch (error) {
            if (!signal.aborted) this.refused(item, error);
        }
        this.under_way -= 1;
        this.pump();
    }

    private refused(item: Item, error: unknown): void {
        const wait_s = error instanceof ApiError && error.status === 429 ? (error.retryAfterSeconds ?? DEFAULT_WAIT_S) : null;
        if (wait_s === null || wait_s > LONGEST_WAIT_S) {
            this.set(item.id, { state: "failed", error: error instanceof Error ? error.message : String(error) });
            return;
        }
        this.set(item.id, { state: "waiting" });
        const until = Date.now() + wait_s * 1000;
        if (this.waits_until !== null && this.waits_until >= until) return;
        clearTimeout(this.timer);
        this.waits_until = until;
        this.timer = setTimeout(() => {
            this.waits_until = null;
            this.changed();
            this.pump();
        }, wait_s * 1000);
        this.changed();
    }
}
