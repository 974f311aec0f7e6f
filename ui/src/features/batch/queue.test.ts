// The queue of a batch: how many at once, waiting as a 429 says, cancel, retry. (In jsdom, which has a File on every Node.js.)
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "@/api/http";
import type { Prediction } from "@/api/types";
import { AT_ONCE, BatchQueue, MOST_FILES, type Work } from "./queue";

const file = (name: string) => new File(["x"], name);
const ended = (status: Prediction["status"], error: string | null = null) => ({ id: "p", status, error }) as Prediction;
const states = (queue: BatchQueue) => queue.snapshot().items.map((item) => item.state);

/** Work whose runs end when the test says so, by file name. */
function controlled() {
    const runs = new Map<string, { end: (prediction: Prediction) => void; fail: (error: Error) => void; signal: AbortSignal; show: (prediction: Prediction) => void }>();
    const work: Work = (given, onChange, signal) => new Promise((resolve, reject) => runs.set(given.name, { end: resolve, fail: reject, signal, show: onChange }));
    return { runs, work };
}

describe("BatchQueue", () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());
    const settle = () => vi.advanceTimersByTimeAsync(0);

    it("runs no more than a few at a time, in order, to the last", async () => {
        const queue = new BatchQueue();
        const { runs, work } = controlled();
        queue.add(["a", "b", "c"].map(file));
        expect(queue.snapshot().active).toBe(false);
        queue.start(work);
        expect(states(queue)).toEqual(["sending", "sending", "waiting"]);
        expect(runs.size).toBe(AT_ONCE);
        runs.get("b")!.show(ended("processing"));
        expect(states(queue)[1]).toBe("running");
        runs.get("b")!.end(ended("succeeded"));
        await settle();
        expect(states(queue)).toEqual(["sending", "succeeded", "sending"]);
        runs.get("a")!.end(ended("failed", "no picture"));
        runs.get("c")!.end(ended("succeeded"));
        await settle();
        expect(states(queue)).toEqual(["failed", "succeeded", "succeeded"]);
        expect(queue.snapshot().items[0]!.error).toBe("no picture");
        expect(queue.snapshot().active).toBe(false);
    });

    it("waits as long as a 429 says, then goes on with the same file", async () => {
        const queue = new BatchQueue();
        const { runs, work } = controlled();
        queue.add(["a", "b", "c"].map(file));
        queue.start(work);
        runs.get("a")!.fail(new ApiError(429, "slow down", {}, 7));
        runs.get("b")!.end(ended("succeeded"));
        await settle();
        expect(states(queue)).toEqual(["waiting", "succeeded", "waiting"]);
        expect(queue.snapshot().waits_until).toBe(Date.now() + 7000);
        expect(queue.snapshot().active).toBe(true);
        await vi.advanceTimersByTimeAsync(6900);
        expect(runs.has("c")).toBe(false);
        await vi.advanceTimersByTimeAsync(200);
        expect(queue.snapshot().waits_until).toBeNull();
        expect(states(queue)).toEqual(["sending", "succeeded", "sending"]);
    });

    it("fails at once when a limit lasts longer than anybody waits", async () => {
        const queue = new BatchQueue();
        const { runs, work } = controlled();
        queue.add([file("a")]);
        queue.start(work);
        runs.get("a")!.fail(new ApiError(429, "no more today", {}, 40_000));
        await settle();
        expect(states(queue)).toEqual(["failed"]);
        expect(queue.snapshot().waits_until).toBeNull();
    });

    it("one that fails does not stop the others, and can be tried again", async () => {
        const queue = new BatchQueue();
        const { runs, work } = controlled();
        queue.add(["a", "b"].map(file));
        queue.start(work);
        runs.get("a")!.fail(new Error("broken"));
        await settle();
        expect(states(queue)).toEqual(["failed", "sending"]);
        queue.retryFailed();
        expect(states(queue)).toEqual(["sending", "sending"]);
        runs.get("a")!.end(ended("succeeded"));
        runs.get("b")!.end(ended("succeeded"));
        await settle();
        expect(queue.snapshot().active).toBe(false);
        expect(queue.snapshot().items[0]!.error).toBeUndefined();
    });

    it("cancels all: what runs is told, what waits does not begin, late answers change nothing", async () => {
        const queue = new BatchQueue();
        const { runs, work } = controlled();
        queue.add(["a", "b", "c"].map(file));
        queue.start(work);
        queue.cancelAll();
        expect(runs.get("a")!.signal.aborted).toBe(true);
        runs.get("a")!.end(ended("succeeded"));
        runs.get("b")!.fail(new Error("aborted"));
        await settle();
        expect(states(queue)).toEqual(["canceled", "canceled", "canceled"]);
        expect(runs.has("c")).toBe(false);
        expect(queue.snapshot().active).toBe(false);
        queue.start(work); // and all of them can be begun again
        expect(states(queue)).toEqual(["sending", "sending", "waiting"]);
    });

    it("takes files while it runs, and never more than its limit", async () => {
        const queue = new BatchQueue();
        const { runs, work } = controlled();
        queue.add([file("a")]);
        queue.start(work);
        queue.add([file("b")]);
        expect(states(queue)).toEqual(["sending", "sending"]);
        expect(queue.add(Array.from({ length: MOST_FILES }, (_, index) => file(`${index}`)))).toBe(MOST_FILES - 2);
        expect(runs.size).toBe(2);
    });

    it("removes only what is not under way", () => {
        const queue = new BatchQueue();
        queue.add(["a", "b", "c"].map(file));
        queue.start(controlled().work);
        queue.remove(queue.snapshot().items[0]!.id);
        queue.remove(queue.snapshot().items[2]!.id);
        expect(queue.snapshot().items.map((item) => item.file.name)).toEqual(["a", "b"]);
        queue.clear();
        expect(queue.snapshot().items.length).toBe(2);
    });
});
