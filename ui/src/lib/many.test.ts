// Bulk work: bounded, counted, stopped.
import { describe, expect, it } from "vitest";
import { forMany } from "./many";

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("forMany", () => {
    it("does all of them, no more than so many at once", async () => {
        let now = 0;
        let most = 0;
        const done: number[] = [];
        const result = await forMany([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
            most = Math.max(most, ++now);
            await turn();
            now -= 1;
            done.push(item);
        });
        expect(most).toBe(3);
        expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
        expect(result).toEqual({ done: 7, failed: 0, total: 7, errors: [] });
    });

    it("counts what fails and goes on", async () => {
        const seen: number[] = [];
        const result = await forMany(
            [1, 2, 3],
            1,
            async (item) => {
                if (item === 2) throw new Error("no");
            },
            (progress) => seen.push(progress.done),
        );
        expect(result.failed).toBe(1);
        expect(result.errors[0]!.message).toBe("no");
        expect(seen).toEqual([1, 2, 3]);
    });

    it("stops when aborted", async () => {
        const abort = new AbortController();
        const done: number[] = [];
        await forMany([1, 2, 3, 4], 1, async (item) => {
            done.push(item);
            if (item === 2) abort.abort();
        }, undefined, abort.signal);
        expect(done).toEqual([1, 2]);
    });
});
