// The states of a run, and outputs taken apart.
import { beforeEach, describe, expect, it } from "vitest";
import type { Prediction } from "@/api/types";
import { partsOf } from "./output-parts";
import { keepRun, keptRun, reduceRun, stateOf, type RunEvent, type RunPhase } from "./run-state";

const after = (...events: RunEvent[]): RunPhase => events.reduce(reduceRun, { kind: "idle" } as RunPhase);
const prediction = (status: Prediction["status"]) => ({ id: "p1", status }) as Prediction;

describe("a run", () => {
    it("goes from sending to following", () => {
        expect(after({ kind: "started", attempt: 1 }, { kind: "sent", attempt: 1, done: 5, total: 9 })).toEqual({ kind: "preparing", attempt: 1, done: 5, total: 9 });
        expect(after({ kind: "started", attempt: 1 }, { kind: "created", attempt: 1, id: "p1" })).toEqual({ kind: "following", id: "p1" });
    });
    it("does not listen to an attempt that was given up", () => {
        const second = after({ kind: "started", attempt: 1 }, { kind: "started", attempt: 2 });
        for (const late of [{ kind: "created", attempt: 1, id: "old" }, { kind: "refused", attempt: 1, error: new Error("x") }, { kind: "stopped", attempt: 1 }, { kind: "sent", attempt: 1, done: 1, total: 1 }] as RunEvent[])
            expect(reduceRun(second, late)).toBe(second);
    });
    it("says until when the server makes it wait, until it goes on", () => {
        const waiting = after({ kind: "started", attempt: 1 }, { kind: "throttled", attempt: 1, until_ms: 5000 });
        expect(stateOf(waiting, undefined, undefined)).toMatchObject({ kind: "preparing", throttled_until_ms: 5000 });
        expect(stateOf(reduceRun(waiting, { kind: "throttled", attempt: 1, until_ms: null }), undefined, undefined)).not.toHaveProperty("throttled_until_ms", 5000);
    });
    it("does not come back after a reset", () => {
        expect(after({ kind: "started", attempt: 1 }, { kind: "reset" }, { kind: "created", attempt: 1, id: "p1" })).toEqual({ kind: "idle" });
    });
    it("is idle again when it was stopped, and says why when it was refused", () => {
        expect(after({ kind: "started", attempt: 1 }, { kind: "stopped", attempt: 1 })).toEqual({ kind: "idle" });
        const error = new Error("no");
        expect(after({ kind: "started", attempt: 1 }, { kind: "refused", attempt: 1, error })).toEqual({ kind: "refused", error });
    });
    it("is lost only when it is the one that is followed", () => {
        const followed: RunPhase = { kind: "following", id: "p1" };
        const error = new Error("not found");
        expect(reduceRun(followed, { kind: "lost", id: "p0", error })).toBe(followed);
        expect(reduceRun(followed, { kind: "lost", id: "p1", error })).toEqual({ kind: "refused", error });
    });
    it("shows what the server says of it", () => {
        const followed: RunPhase = { kind: "following", id: "p1" };
        expect(stateOf(followed, undefined, undefined)).toEqual({ kind: "preparing", done: 0, total: 0 });
        expect(stateOf(followed, prediction("processing"), undefined).kind).toBe("running");
        for (const status of ["succeeded", "failed", "canceled", "aborted"] as const) expect(stateOf(followed, prediction(status), undefined).kind).toBe("ended");
    });
});

describe("a kept run", () => {
    beforeEach(() => sessionStorage.clear());
    it("is found again under its form, and only there", () => {
        keepRun("home:upscale", "abc123");
        expect(keptRun("home:upscale")).toBe("abc123");
        expect(keptRun("home:enhance")).toBeNull();
        keepRun("home:upscale", null);
        expect(keptRun("home:upscale")).toBeNull();
    });
    it("is no path", () => {
        sessionStorage.setItem("mimeo-run:x", "../../account");
        expect(keptRun("x")).toBeNull();
    });
});

describe("an output", () => {
    it("of words that were streamed is one text", () => {
        expect(partsOf(["hel", "lo ", "you"])).toEqual({ kind: "text", text: "hello you" });
    });
    it("of links is files, wherever they stand", () => {
        expect(partsOf("http://h/outputs/a.png")).toEqual({ kind: "files", links: ["http://h/outputs/a.png"], rest: undefined });
        expect(partsOf(["http://h/a.png", "http://h/b.png"])).toEqual({ kind: "files", links: ["http://h/a.png", "http://h/b.png"], rest: undefined });
        const mixed = { mask: "http://h/m.png", score: 0.5, more: [{ file: "http://h/n.png" }] };
        expect(partsOf(mixed)).toEqual({ kind: "files", links: ["http://h/m.png", "http://h/n.png"], rest: mixed });
    });
    it("of nothing is nothing, of zero is zero", () => {
        for (const nothing of [null, "", []]) expect(partsOf(nothing)).toEqual({ kind: "empty" });
        expect(partsOf(0)).toEqual({ kind: "json", value: 0 });
        expect(partsOf(false)).toEqual({ kind: "json", value: false });
    });
    it("that is nested without end is looked at only so deep", () => {
        let deep: import("@/api/types").Json = "http://h/deep.png";
        for (let i = 0; i < 50; i++) deep = [deep];
        expect(partsOf(deep).kind).toBe("json");
    });
});
