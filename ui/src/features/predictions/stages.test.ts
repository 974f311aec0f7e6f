// The stages of a run, from the moments the server tells.
import { describe, expect, it } from "vitest";
import type { Progress } from "@/api/types";
import { stagesOf } from "./stages";

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 21, 20, 0, 0) + seconds * 1000).toISOString();
const NOW = Date.parse(at(60));

function progress(phase: Progress["phase"], ...moments: [Progress["timeline"][number]["name"], number][]): Progress {
    return { status: "processing", phase, place: null, waiting: null, blocked: null, step: null, steps: null, timeline: moments.map(([name, seconds]) => ({ name, at: at(seconds) })) };
}
const brief = (stages: ReturnType<typeof stagesOf>) => stages.map((stage) => [stage.name, stage.seconds, stage.open]);

describe("stages", () => {
    it("names what went on between the moments", () => {
        const done = progress("ended", ["created", 0], ["prepared", 1], ["loading", 3], ["loaded", 10], ["started", 10.5], ["completed", 20]);
        expect(brief(stagesOf(done, NOW))).toEqual([
            ["preparing", 1, false],
            ["waiting", 2, false],
            ["loading", 7, false],
            ["waiting", 0.5, false],
            ["running", 9.5, false],
        ]);
    });

    it("lets the last one grow while it goes on", () => {
        expect(brief(stagesOf(progress("running", ["created", 0], ["started", 4]), NOW))).toEqual([
            ["waiting", 4, false],
            ["running", 56, true],
        ]);
    });

    it("leaves out what took no time worth telling", () => {
        expect(brief(stagesOf(progress("ended", ["created", 0], ["prepared", 0.001], ["started", 2], ["completed", 3]), NOW)).map(([name]) => name)).toEqual(["waiting", "running"]);
    });

    it("joins neighbours of one name", () => {
        expect(brief(stagesOf(progress("queued", ["created", 0], ["prepared", 1], ["loading", 2]), NOW))).toEqual([
            ["preparing", 1, false],
            ["waiting", 59, true],
        ]);
    });

    it("does not say that one ran which was canceled in the queue", () => {
        expect(brief(stagesOf(progress("ended", ["created", 0], ["completed", 5]), NOW))).toEqual([["waiting", 5, false]]);
    });

    it("has nothing to say without moments, and no negative times", () => {
        expect(stagesOf(progress("ended"), NOW)).toEqual([]);
        expect(brief(stagesOf(progress("ended", ["created", 5], ["completed", 4]), NOW))).toEqual([["waiting", 0, false]]);
    });
});
