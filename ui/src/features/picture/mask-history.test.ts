// Undoing and redoing what was painted.
import { describe, expect, it } from "vitest";
import { EMPTY_HISTORY, nextBrushSize, pushStep, redoStep, STEPS_MAX, undoStep, type MaskHistory, type MaskStep } from "./mask-history";

const stroke = (width: number): MaskStep => ({ kind: "stroke", erase: false, width, points: [{ x: 1, y: 2 }] });
const widths = (steps: readonly MaskStep[]) => steps.map((step) => (step.kind === "stroke" ? step.width : step.kind));
const painted = (...steps: MaskStep[]): MaskHistory => steps.reduce<MaskHistory>((history, step) => pushStep(history, step).history, EMPTY_HISTORY);

describe("mask history", () => {
    it("undoes the last step first and brings it back", () => {
        const history = painted(stroke(1), { kind: "invert" }, stroke(3));
        const back = undoStep(undoStep(history));
        expect(widths(back.done)).toEqual([1]);
        expect(widths(back.undone)).toEqual(["invert", 3]);
        expect(redoStep(redoStep(back))).toEqual(history);
    });
    it("clearing can be undone", () => {
        expect(widths(undoStep(painted(stroke(1), { kind: "clear" })).done)).toEqual([1]);
    });
    it("forgets what was undone once something new is painted", () => {
        const { history } = pushStep(undoStep(painted(stroke(1), stroke(2))), stroke(9));
        expect(widths(history.done)).toEqual([1, 9]);
        expect(redoStep(history)).toBe(history);
    });
    it("has nothing to undo at first", () => {
        expect(undoStep(EMPTY_HISTORY)).toBe(EMPTY_HISTORY);
        expect(redoStep(EMPTY_HISTORY)).toBe(EMPTY_HISTORY);
    });
    it("keeps a bounded number of steps and hands out those that fall off, oldest first", () => {
        let history = EMPTY_HISTORY;
        const settled: MaskStep[] = [];
        for (let i = 1; i <= STEPS_MAX + 3; i++) {
            const pushed = pushStep(history, stroke(i));
            history = pushed.history;
            settled.push(...pushed.settled);
        }
        expect(history.done).toHaveLength(STEPS_MAX);
        expect(widths(settled)).toEqual([1, 2, 3]);
    });
});

describe("nextBrushSize", () => {
    it("goes up and down through sizes and stops at the ends", () => {
        expect(nextBrushSize(48, 1)).toBe(64);
        expect(nextBrushSize(48, -1)).toBe(32);
        expect(nextBrushSize(50, 1)).toBe(64);
        expect(nextBrushSize(50, -1)).toBe(48);
        expect(nextBrushSize(256, 1)).toBe(256);
        expect(nextBrushSize(4, -1)).toBe(4);
    });
});
