// Where things stand on a chart: round numbers for the axes, pixels for values, points put together. Pure; drawing is in chart.tsx.

export interface Tick {
    at: number; // a value of the axis
    label: string;
}

/** A step of 1, 2 or 5 times a power of ten, so that about `wanted` of them reach `largest`. */
export function roundStep(largest: number, wanted: number): number {
    if (!(largest > 0)) return 1;
    const raw = largest / Math.max(1, wanted);
    const power = 10 ** Math.floor(Math.log10(raw));
    const factor = [1, 2, 5, 10].find((each) => each * power >= raw * 0.9999) ?? 10;
    return factor * power;
}

/** From 0 to the first round number that is not below `largest`. `whole`: only whole steps, as for counts. */
export function valueTicks(largest: number, wanted = 4, whole = false): number[] {
    let step = roundStep(largest, wanted);
    if (whole) step = Math.max(1, Math.ceil(step));
    const count = largest > 0 ? Math.max(1, Math.ceil(largest / step - 1e-9)) : 1;
    return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

const MINUTE_MS = 60_000;
const TIME_STEPS_MS = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440].map((minutes) => minutes * MINUTE_MS);

/** Round times of day between two moments, at most `most` of them. offset_ms: how far the wanted time zone is ahead of UTC. */
export function timeTicks(start_ms: number, end_ms: number, most: number, offset_ms = 0): number[] {
    const span_ms = end_ms - start_ms;
    if (!(span_ms > 0)) return [];
    const step_ms = TIME_STEPS_MS.find((each) => span_ms / each <= most) ?? TIME_STEPS_MS.at(-1)!;
    const ticks: number[] = [];
    for (let at = Math.ceil((start_ms + offset_ms) / step_ms) * step_ms - offset_ms; at <= end_ms; at += step_ms) ticks.push(at);
    return ticks;
}

/** Of many neighbours only so many that `most` are left, evenly, counted from the last one. */
export function thinned<T>(all: T[], most: number): T[] {
    const every = Math.max(1, Math.ceil(all.length / Math.max(1, most)));
    return all.filter((_, index) => (all.length - 1 - index) % every === 0);
}

export interface Scale {
    (value: number): number;
}

export function linear(from: [number, number], to: [number, number]): Scale {
    const span = from[1] - from[0] || 1;
    return (value) => to[0] + ((value - from[0]) / span) * (to[1] - to[0]);
}

export type Values = (number | null)[];

/** Runs of neighbours that have a value: what one stroke draws. [first, last], inclusive. */
export function stretches(values: Values): [number, number][] {
    const found: [number, number][] = [];
    let first = -1;
    for (let index = 0; index <= values.length; index++) {
        const there = index < values.length && values[index] !== null;
        if (there && first < 0) first = index;
        if (!there && first >= 0) {
            found.push([first, index - 1]);
            first = -1;
        }
    }
    return found;
}

const short = (pixels: number) => Number(pixels.toFixed(1));

/** A line's path, broken where there is no value. A lone value is a stroke without length: round caps make it a dot. */
export function linePath(xs: number[], values: Values, y: Scale): string {
    return stretches(values)
        .map(([first, last]) => {
            const points: string[] = [];
            for (let index = first; index <= last; index++) points.push(`${short(xs[index]!)} ${short(y(values[index]!))}`);
            return `M${points.join("L")}${first === last ? "h0" : ""}`;
        })
        .join("");
}

/** The same down to the axis. */
export function areaPath(xs: number[], values: Values, y: Scale): string {
    return stretches(values)
        .map(([first, last]) => `${linePath(xs.slice(first, last + 1), values.slice(first, last + 1), y)}L${short(xs[last]!)} ${short(y(0))}L${short(xs[first]!)} ${short(y(0))}Z`)
        .join("");
}

/** The index of the moment nearest to `at`. `times` rises. */
export function nearest(times: number[], at: number): number {
    let low = 0;
    let high = times.length - 1;
    while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (times[middle]! <= at) low = middle;
        else high = middle;
    }
    return high >= 0 && Math.abs(times[high]! - at) < Math.abs(times[low]! - at) ? high : Math.max(0, low);
}

/** Means over steps of `step_ms`, which begin at round times. The first and the last step may have fewer values than the others. */
export function averaged(times: number[], values: number[], step_ms: number): { times: number[]; values: number[] } {
    const steps = new Map<number, { sum: number; count: number }>();
    for (let index = 0; index < times.length; index++) {
        const start = Math.floor(times[index]! / step_ms) * step_ms;
        const step = steps.get(start) ?? { sum: 0, count: 0 };
        steps.set(start, { sum: step.sum + values[index]!, count: step.count + 1 });
    }
    return { times: [...steps.keys()], values: [...steps.values()].map((step) => step.sum / step.count) };
}
