// What was done to a mask, step by step, so that it can be undone. Pure: drawing is mask-canvas.ts.

export interface Stroke {
    kind: "stroke";
    erase: boolean;
    width: number; // in the picture's pixels
    points: { x: number; y: number }[];
}

export type MaskStep = Stroke | { kind: "invert" } | { kind: "clear" } | { kind: "picture"; source: CanvasImageSource };

export interface MaskHistory {
    done: readonly MaskStep[];
    undone: readonly MaskStep[];
}

export const EMPTY_HISTORY: MaskHistory = { done: [], undone: [] };
export const STEPS_MAX = 400; // each is drawn again on undo; older ones become part of the ground (see pushStep)

/** One more step. What was undone is gone. `settled`: steps that fell off the beginning and can no longer be undone. */
export function pushStep(history: MaskHistory, step: MaskStep): { history: MaskHistory; settled: readonly MaskStep[] } {
    const done = [...history.done, step];
    const settled = done.splice(0, Math.max(0, done.length - STEPS_MAX));
    return { history: { done, undone: [] }, settled };
}

export function undoStep(history: MaskHistory): MaskHistory {
    const step = history.done.at(-1);
    return step ? { done: history.done.slice(0, -1), undone: [step, ...history.undone] } : history;
}

export function redoStep(history: MaskHistory): MaskHistory {
    const [step, ...undone] = history.undone;
    return step ? { done: [...history.done, step], undone } : history;
}

const SIZES = [4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]; // of the brush, on the screen

/** The next larger or smaller size of the brush. */
export function nextBrushSize(size: number, direction: 1 | -1): number {
    if (direction > 0) return SIZES.find((each) => each > size) ?? SIZES.at(-1)!;
    return SIZES.filter((each) => each < size).at(-1) ?? SIZES[0]!;
}
