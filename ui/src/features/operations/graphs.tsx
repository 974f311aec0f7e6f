// The history as charts: throughput, queue, times, requests, memory.
import { useMemo, type ReactNode } from "react";
import type { History } from "@/api/types";
import { Card, CardContent, CardHeader } from "@/components/ui/card";
import { useLanguage, useMessages } from "@/i18n";
import { formatBytes, formatMilliseconds, formatSeconds } from "@/lib/format";
import { Chart, type ChartProps, type Series } from "@/features/chart/chart";
import { averaged, timeTicks } from "@/features/chart/scale";
import { operationsMessages } from "@/features/operations/messages";
import { SPAN_MS, type Span } from "@/api/operations";

const TICKS_MAX = 8;
const SHORTEST_MS: Record<Span, number> = { "2h": 600_000, "1d": 7_200_000 };
const COUNT_STEP_MS: Record<Span, number> = { "2h": 60_000, "1d": 600_000 }; // counts of shorter steps only flicker

function GraphCard({ title, children, wide }: { title: string; children: ReactNode; wide?: boolean }) {
    return (
        <Card className={wide ? "min-w-0 xl:col-span-2" : "min-w-0"}>
            <CardHeader>
                <h3 className="text-sm font-semibold">{title}</h3>
            </CardHeader>
            <CardContent className="pt-3 sm:pt-3">{children}</CardContent>
        </Card>
    );
}

/** What all graphs of a span have in common. The axis ends with the last step; while the server is young it is shorter than the span. */
function useFrame(history: History, span: Span): Pick<ChartProps, "domain" | "ticks" | "formatTime"> {
    const { language } = useLanguage();
    const first = Date.parse(history.points[0]?.at ?? "") || 0;
    const end = Date.parse(history.points.at(-1)?.at ?? "") || 0;
    return useMemo(() => {
        const start = Math.max(end - SPAN_MS[span], Math.min(first, end - SHORTEST_MS[span]));
        const offset_ms = -new Date(end).getTimezoneOffset() * 60_000;
        const clock = (at_ms: number) => new Date(at_ms).toLocaleTimeString(language, { hour: "numeric", minute: "2-digit" });
        const formatTime = (at_ms: number) => new Date(at_ms).toLocaleTimeString(language, span === "2h" ? { timeStyle: "medium" } : { hour: "numeric", minute: "2-digit", weekday: "short" });
        return { domain: [start, end] as [number, number], ticks: timeTicks(start, end, TICKS_MAX, offset_ms).map((at) => ({ at, label: clock(at) })), formatTime };
    }, [first, end, span, language]);
}

type Counted = "succeeded" | "failed" | "canceled" | "requests" | "errors" | "throttled";

/** Counts by the minute, over rounder steps than the history's. */
function perMinute({ points, step_s }: History, times: number[], name: Counted, span: Span): { times: number[]; values: number[] } {
    return averaged(times, points.map((point) => (point[name] * 60) / step_s), COUNT_STEP_MS[span]);
}

function CountGraph({ history, times, span, label, series }: { history: History; times: number[]; span: Span; label: string; series: (Omit<Series, "values" | "key"> & { name: Counted })[] }) {
    const { language } = useLanguage();
    const frame = useFrame(history, span);
    const counted = useMemo(() => series.map((each) => ({ ...each, ...perMinute(history, times, each.name, span), key: each.name })), [history, times, span, series]);
    const at = counted[0]!.times;
    return (
        <Chart
            {...frame}
            label={label}
            times={at}
            domain={[Math.min(frame.domain[0], at[0] ?? 0), Math.max(frame.domain[1], (at.at(-1) ?? 0) + COUNT_STEP_MS[span])]}
            series={counted}
            bar_ms={COUNT_STEP_MS[span]}
            format={(value) => value.toLocaleString(language, { maximumFractionDigits: 1 })}
        />
    );
}

export function Graphs({ history, span, budget_bytes }: { history: History; span: Span; budget_bytes: number | null }) {
    const text = useMessages(operationsMessages);
    const { language } = useLanguage();
    const frame = useFrame(history, span);
    const points = history.points;
    const times = useMemo(() => points.map((point) => Date.parse(point.at)), [points]);
    const seconds = (value: number) => formatSeconds(value, language);
    const milliseconds = (value: number) => formatMilliseconds(value, language);
    const line = (name: "run_p50_s" | "run_p95_s" | "queue_p50_s" | "queue_p95_s" | "request_p50_ms" | "request_p99_ms", label: string, dashed = false): Series => ({
        key: name,
        label,
        tone: dashed ? "warning" : "primary",
        kind: "line",
        dashed,
        values: points.map((point) => point[name]),
    });
    const runs = useMemo(() => [{ name: "succeeded", label: text.succeeded, tone: "primary", kind: "bar" }, { name: "failed", label: text.failed, tone: "destructive", kind: "bar" }, { name: "canceled", label: text.canceled, tone: "muted", kind: "bar", dashed: true }] satisfies Parameters<typeof CountGraph>[0]["series"], [text]);
    const requests = useMemo(() => [{ name: "requests", label: text.all, tone: "primary", kind: "area" }, { name: "throttled", label: text.throttled, tone: "warning", kind: "line", dashed: true }, { name: "errors", label: text.server_errors, tone: "destructive", kind: "line" }] satisfies Parameters<typeof CountGraph>[0]["series"], [text]);
    const common = { ...frame, times };
    return (
        <div className="grid gap-4 xl:grid-cols-2">
            <GraphCard title={text.graph_throughput}>
                <CountGraph label={text.graph_throughput} series={runs} {...{ history, times, span }} />
            </GraphCard>
            <GraphCard title={text.graph_queue}>
                <Chart {...common} label={text.graph_queue} whole series={[{ key: "waiting", label: text.waiting, tone: "primary", kind: "area", values: points.map((point) => point.waiting) }]} format={(value) => value.toLocaleString(language)} />
            </GraphCard>
            <GraphCard title={text.graph_run}>
                <Chart {...common} label={text.graph_run} least={0.1} series={[line("run_p50_s", text.median), line("run_p95_s", text.p95, true)]} format={seconds} />
            </GraphCard>
            <GraphCard title={text.graph_wait}>
                <Chart {...common} label={text.graph_wait} least={0.1} series={[line("queue_p50_s", text.median), line("queue_p95_s", text.p95, true)]} format={seconds} />
            </GraphCard>
            <GraphCard title={text.graph_requests}>
                <CountGraph label={text.graph_requests} series={requests} {...{ history, times, span }} />
            </GraphCard>
            <GraphCard title={text.graph_latency}>
                <Chart {...common} label={text.graph_latency} least={1} series={[line("request_p50_ms", text.median), line("request_p99_ms", text.p99, true)]} format={milliseconds} />
            </GraphCard>
            <GraphCard wide title={text.graph_memory}>
                <Chart
                    {...common}
                    label={text.graph_memory}
                    series={[{ key: "memory", label: text.memory_used, tone: "primary", kind: "area", values: points.map((point) => point.memory_bytes) }]}
                    limit={budget_bytes === null ? undefined : { value: budget_bytes, label: text.budget }}
                    format={(value) => formatBytes(value, language)}
                />
            </GraphCard>
        </div>
    );
}
