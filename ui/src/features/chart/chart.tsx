// A chart over time as SVG: lines, areas or stacked bars, with round axes, a readout under the pointer or by the arrow keys, a legend,
// and the same numbers as a table. Only drawing: scale.ts knows where things stand.
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { Table } from "@/components/ui/bits";
import { useMessages } from "@/i18n";
import { chartMessages } from "@/features/chart/messages";
import { areaPath, linear, linePath, nearest, thinned, valueTicks, type Scale, type Tick, type Values } from "@/features/chart/scale";

export type Tone = "primary" | "success" | "destructive" | "warning" | "muted";
const COLOUR: Record<Tone, string> = { primary: "var(--primary)", success: "var(--success)", destructive: "var(--destructive)", warning: "var(--warning)", muted: "var(--muted-foreground)" };

export interface Series {
    key: string;
    label: string;
    tone: Tone;
    kind: "line" | "area" | "bar"; // bars stand on each other
    dashed?: boolean; // tells lines apart without colour
    values: Values;
}

export interface ChartProps {
    label: string;
    times: number[]; // ms since 1970, rising
    domain: [number, number];
    ticks: Tick[]; // of the time axis
    series: Series[];
    format: (value: number) => string;
    formatTime: (at_ms: number) => string;
    whole?: boolean; // only whole numbers on the value axis
    least?: number; // what the value axis reaches at least, so that noise near zero does not fill the chart
    limit?: { value: number; label: string }; // a line across
    bar_ms?: number; // how long a bar is
    height?: number;
}

const LEFT = 58;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 24;
const TABLE_ROWS_MAX = 400; // beyond it the table shows every second, third, … moment

function useWidth(): [React.RefObject<HTMLDivElement | null>, number] {
    const box = useRef<HTMLDivElement>(null);
    const [width, setWidth] = useState(0);
    useEffect(() => {
        if (!box.current) return;
        const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)));
        observer.observe(box.current);
        return () => observer.disconnect();
    }, []);
    return [box, width];
}

function largestOf(series: Series[], count: number): number {
    let largest = 0;
    for (let index = 0; index < count; index++) {
        let stacked = 0;
        for (const each of series) {
            const value = each.values[index] ?? 0;
            if (each.kind === "bar") stacked += value;
            else largest = Math.max(largest, value);
        }
        largest = Math.max(largest, stacked);
    }
    return largest;
}

function Bars({ series, times, x, y, bar_ms }: { series: Series[]; times: number[]; x: Scale; y: Scale; bar_ms: number }) {
    const width = Math.max(1, x(bar_ms) - x(0));
    const gap = Math.min(3, width * 0.25);
    return times.map((at, index) => {
        let below = 0;
        return (
            <g key={at}>
                {series.map((each) => {
                    const value = each.values[index] ?? 0;
                    const top = y(below + value);
                    const height = y(below) - top;
                    below += value;
                    return value > 0 && <rect key={each.key} x={x(at) + gap / 2} y={top} width={Math.max(1, width - gap)} height={height} fill={COLOUR[each.tone]} fillOpacity={each.dashed ? 0.55 : 1} rx={Math.min(2, width / 6)} />;
                })}
            </g>
        );
    });
}

function Strokes({ series, xs, y }: { series: Series[]; xs: number[]; y: Scale }) {
    return series.map((each) => (
        <g key={each.key}>
            {each.kind === "area" && <path d={areaPath(xs, each.values, y)} fill={COLOUR[each.tone]} fillOpacity={0.16} />}
            <path d={linePath(xs, each.values, y)} fill="none" stroke={COLOUR[each.tone]} strokeWidth={1.75} strokeLinecap="round" strokeLinejoin="round" strokeDasharray={each.dashed ? "1 4" : undefined} />
            {each.values.map((value, index) => value !== null && standsAlone(each.values, index) && <circle key={index} cx={xs[index]} cy={y(value)} r={2.25} fill={COLOUR[each.tone]} />)}
        </g>
    ));
}

/** A value without neighbours makes no line: it is drawn as a dot. */
function standsAlone(values: Values, index: number): boolean {
    return (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null;
}

function LegendMark({ series }: { series: Series }) {
    return (
        <svg aria-hidden width="18" height="10" className="shrink-0">
            {series.kind === "line" ? (
                <line x1="1" y1="5" x2="17" y2="5" stroke={COLOUR[series.tone]} strokeWidth="2.5" strokeLinecap="round" strokeDasharray={series.dashed ? "1 4" : undefined} />
            ) : (
                <rect x="2" y="0.5" width="14" height="9" rx="2" fill={COLOUR[series.tone]} fillOpacity={series.dashed ? 0.55 : 1} />
            )}
        </svg>
    );
}

function Legend({ series, values, limit }: { series: Series[]; values: (index: number) => string | null; limit: string | null }) {
    return (
        <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted-foreground">
            {series.map((each, index) => (
                <li key={each.key} className="flex items-center gap-1.5">
                    <LegendMark series={each} />
                    {each.label}
                    <span className="font-medium text-foreground tabular-nums">{values(index)}</span>
                </li>
            ))}
            {limit && (
                <li className="flex items-center gap-1.5">
                    <svg aria-hidden width="18" height="10" className="shrink-0">
                        <line x1="1" y1="5" x2="17" y2="5" stroke="var(--destructive)" strokeWidth="1.5" strokeDasharray="6 4" />
                    </svg>
                    {limit}
                </li>
            )}
        </ul>
    );
}

function NumbersTable({ label, times, series, format, formatTime }: Pick<ChartProps, "label" | "times" | "series" | "format" | "formatTime">) {
    const text = useMessages(chartMessages);
    const rows = thinned([...times.keys()], TABLE_ROWS_MAX).reverse();
    return (
        <div className="mt-2 max-h-72 overflow-y-auto">
            <Table label={label}>
                <thead>
                    <tr>
                        <th scope="col">{text.time}</th>
                        {series.map((each) => (
                            <th key={each.key} scope="col" className="text-right">
                                {each.label}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {rows.map((index) => (
                        <tr key={index}>
                            <th scope="row">{formatTime(times[index]!)}</th>
                            {series.map((each) => {
                                const value = each.values[index] ?? null;
                                return (
                                    <td key={each.key} className="text-right tabular-nums">
                                        {value === null ? "–" : format(value)}
                                    </td>
                                );
                            })}
                        </tr>
                    ))}
                </tbody>
            </Table>
        </div>
    );
}

/** Which moment is read out: by the pointer or by the keys. */
function useReadout(times: number[], x: Scale, back: Scale) {
    const [at, setAt] = useState<number | null>(null);
    const index = at === null ? null : nearest(times, at);
    const onPointer = (event: PointerEvent<HTMLElement>) => setAt(back(event.clientX - event.currentTarget.getBoundingClientRect().left));
    const onKeyDown = (event: KeyboardEvent) => {
        const from = index ?? times.length - 1;
        const steps: Record<string, number> = { ArrowLeft: from - 1, ArrowRight: from + 1, ArrowDown: from - 1, ArrowUp: from + 1, PageDown: from - 10, PageUp: from + 10, Home: 0, End: times.length - 1 };
        const next = steps[event.key];
        if (next === undefined) return;
        event.preventDefault();
        setAt(times[Math.min(times.length - 1, Math.max(0, next))] ?? null);
    };
    return { index, left: index === null ? 0 : x(times[index]!), clear: () => setAt(null), start: () => setAt((now) => now ?? times.at(-1) ?? null), onPointer, onKeyDown };
}

interface AxesProps {
    width: number;
    height: number;
    values: number[];
    format: (value: number) => string;
    ticks: Tick[];
    x: Scale;
    y: Scale;
}

function Axes({ width, height, values, format, ticks, x, y }: AxesProps) {
    return (
        <g className="fill-muted-foreground text-[11px] tabular-nums">
            {values.map((value) => (
                <g key={value}>
                    <line x1={LEFT} x2={width - RIGHT} y1={y(value)} y2={y(value)} stroke="var(--border)" strokeWidth={1} />
                    <text x={LEFT - 8} y={y(value) + 4} textAnchor="end">
                        {format(value)}
                    </text>
                </g>
            ))}
            {ticks.map((tick) => (
                <text key={tick.at} x={x(tick.at)} y={height - 6} textAnchor={x(tick.at) > width - 24 ? "end" : "middle"}>
                    {tick.label}
                </text>
            ))}
        </g>
    );
}

/** Room for one label under the chart, with air beside it. */
function tickWidth(ticks: Tick[]): number {
    return Math.max(62, ...ticks.map((tick) => tick.label.length * 6.5 + 20));
}

export function Chart(props: ChartProps) {
    const { label, times, domain, ticks, series, format, formatTime, whole, least = 0, limit, bar_ms = 0, height = 190 } = props;
    const text = useMessages(chartMessages);
    const [box, width] = useWidth();
    const help = useId();
    const [table, setTable] = useState(false);
    const values = useMemo(() => valueTicks(Math.max(largestOf(series, times.length), least, limit?.value ?? 0), 4, whole), [series, times.length, least, limit?.value, whole]);
    const x = linear(domain, [LEFT, Math.max(LEFT + 1, width - RIGHT)]);
    const back = linear([LEFT, Math.max(LEFT + 1, width - RIGHT)], domain);
    const y = linear([0, values.at(-1)!], [height - BOTTOM, TOP]);
    const middle = bar_ms / 2;
    const readout = useReadout(times, (at) => x(at + middle), (pixels) => back(pixels) - middle);
    const shown = readout.index;
    const said = (index: number) => {
        const value = shown === null ? null : (series[index]?.values[shown] ?? null);
        return shown === null ? null : value === null ? "–" : format(value);
    };
    const bars = series.filter((each) => each.kind === "bar");
    const lines = series.filter((each) => each.kind !== "bar");
    const last = times.length - 1;
    const spoken = shown ?? last;
    if (times.length === 0) return <p className="py-8 text-center text-sm text-muted-foreground">{text.nothing}</p>;
    return (
        <figure aria-label={label} className="min-w-0">
            <div className="mb-2 flex min-h-5 flex-wrap items-baseline justify-between gap-x-4">
                <Legend series={series} values={said} limit={limit ? `${limit.label} ${format(limit.value)}` : null} />
                <span aria-hidden className="text-xs text-muted-foreground tabular-nums">
                    {shown === null ? "" : formatTime(times[shown]!)}
                </span>
            </div>
            <div
                ref={box}
                role="slider"
                tabIndex={0}
                aria-label={text.readout(label)}
                aria-describedby={help}
                aria-valuemin={0}
                aria-valuemax={Math.max(0, last)}
                aria-valuenow={spoken}
                aria-valuetext={`${formatTime(times[spoken]!)}: ${series.map((each) => `${each.label} ${each.values[spoken] == null ? text.no_value : format(each.values[spoken]!)}`).join(", ")}`}
                className="touch-pan-y rounded-md"
                onPointerMove={readout.onPointer}
                onPointerLeave={readout.clear}
                onFocus={(event) => event.currentTarget.matches(":focus-visible") && readout.start()}
                onBlur={readout.clear}
                onKeyDown={readout.onKeyDown}
            >
                <svg aria-hidden width={width} height={height} className="block">
                    {width > 0 && (
                        <>
                            <Axes width={width} height={height} values={values} format={format} ticks={thinned(ticks, Math.floor((width - LEFT) / tickWidth(ticks)))} x={x} y={y} />
                            {bars.length > 0 && <Bars series={bars} times={times} x={x} y={y} bar_ms={bar_ms} />}
                            <Strokes series={lines} xs={times.map((at) => x(at + middle))} y={y} />
                            {limit && <line x1={LEFT} x2={width - RIGHT} y1={y(limit.value)} y2={y(limit.value)} stroke="var(--destructive)" strokeWidth={1.25} strokeDasharray="6 4" />}
                            {shown !== null && <Pointer series={lines} index={shown} left={readout.left} y={y} height={height} />}
                        </>
                    )}
                </svg>
            </div>
            <p id={help} className="sr-only">
                {text.keys_help}
            </p>
            <details className="mt-1 text-xs" onToggle={(event) => setTable(event.currentTarget.open)}>
                <summary className="inline-block rounded-sm py-1 text-muted-foreground hover:text-foreground">{text.as_table}</summary>
                {table && <NumbersTable label={label} times={times} series={series} format={format} formatTime={formatTime} />}
            </details>
        </figure>
    );
}

function Pointer({ series, index, left, y, height }: { series: Series[]; index: number; left: number; y: Scale; height: number }) {
    return (
        <g>
            <line x1={left} x2={left} y1={TOP} y2={height - BOTTOM} stroke="var(--foreground)" strokeOpacity={0.45} />
            {series.map((each) => {
                const value = each.values[index] ?? null;
                return value !== null && <circle key={each.key} cx={left} cy={y(value)} r={3.5} fill={COLOUR[each.tone]} stroke="var(--card)" strokeWidth={1.5} />;
            })}
        </g>
    );
}
