// How the server is doing: queue, runners, memory, disk, webhooks now; throughput and times over two hours or a day.
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Activity } from "lucide-react";
import type { ReactNode } from "react";
import { useMay } from "@/api/session";
import type { History, Operations } from "@/api/types";
import { Alert, EmptyState, PageHeader, Skeleton, Table } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { formatBytes, formatMilliseconds, formatSeconds, formatTime } from "@/lib/format";
import { Tile, Tiles } from "@/features/chart/tile";
import { Graphs } from "@/features/operations/graphs";
import { operationsMessages } from "@/features/operations/messages";
import { failedShare, lastOf, perMinute, sumOf } from "@/features/operations/numbers";
import { historyQuery, operationsQuery, type Span } from "@/api/operations";
import { LoadModel, MemoryBar, ModelLink, Runners, VersionCode } from "@/features/operations/runners";

function SpanChoice({ span, onChange }: { span: Span; onChange: (span: Span) => void }) {
    const text = useMessages(operationsMessages);
    return (
        <div role="group" aria-label={text.span} className="flex gap-1 rounded-lg bg-muted p-1">
            {(["2h", "1d"] as const).map((each) => (
                <Button key={each} variant="ghost" size="sm" aria-pressed={span === each} className="aria-pressed:bg-card aria-pressed:shadow-sm" onClick={() => onChange(each)}>
                    {text[`span_${each}`]}
                </Button>
            ))}
        </div>
    );
}

function NowTiles({ operations, history, span }: { operations: Operations; history: History | undefined; span: Span }) {
    const text = useMessages(operationsMessages);
    const { language } = useLanguage();
    const points = history?.points ?? [];
    const seconds = (value: number | null) => (value === null ? "–" : formatSeconds(value, language));
    const slowest = (value: number | null) => (value === null ? undefined : text.slowest(formatSeconds(value, language)));
    const waiting = operations.queue.reduce((sum, each) => sum + each.waiting, 0);
    const oldest_s = Math.max(0, ...operations.queue.map((each) => each.oldest_wait_s));
    const running = operations.runners.filter((runner) => runner.state === "running").length;
    const share = failedShare(points);
    const requests = perMinute(points, "requests", history?.step_s ?? 10);
    const p99_ms = lastOf(points, "request_p99_ms");
    return (
        <Tiles>
            <Tile label={text.running} value={running} note={text.running_of(operations.runners.length)} />
            <Tile label={text.waiting} value={waiting} note={waiting ? text.oldest(formatSeconds(oldest_s, language)) : text.nobody} />
            <Tile label={text.finished} value={sumOf(points, "succeeded").toLocaleString(language)} note={share === null ? text.finished_note(text[`span_${span}`]) : `${text.errors}: ${share.toLocaleString(language, { style: "percent", maximumFractionDigits: 1 })}`} />
            <Tile label={text.run_time} value={seconds(lastOf(points, "run_p50_s"))} note={slowest(lastOf(points, "run_p95_s"))} />
            <Tile label={text.queue_time} value={seconds(lastOf(points, "queue_p50_s"))} note={slowest(lastOf(points, "queue_p95_s"))} />
            <Tile label={text.requests} value={requests === null ? "–" : requests.toLocaleString(language, { maximumFractionDigits: 0 })} note={p99_ms === null ? undefined : text.request_note(formatMilliseconds(p99_ms, language))} />
        </Tiles>
    );
}

function Facts({ rows }: { rows: [string, ReactNode][] }) {
    return (
        <dl className="grid grid-cols-[1fr_auto] gap-x-4 gap-y-1.5 text-sm">
            {rows.map(([name, value]) => (
                <div key={name} className="contents">
                    <dt className="text-muted-foreground">{name}</dt>
                    <dd className="text-right font-medium tabular-nums">{value}</dd>
                </div>
            ))}
        </dl>
    );
}

function Resources({ operations }: { operations: Operations }) {
    const text = useMessages(operationsMessages);
    const { language } = useLanguage();
    const { disk, webhooks } = operations;
    const cards: [string, ReactNode][] = [
        [text.memory, <MemoryBar key="memory" operations={operations} />],
        [text.disk, <Facts key="disk" rows={[[text.disk_free, formatBytes(disk.free_bytes, language)], [text.disk_data, disk.data_bytes === null ? "–" : formatBytes(disk.data_bytes, language)]]} />],
        [
            text.webhooks,
            <Facts
                key="webhooks"
                rows={[
                    [text.webhooks_pending, webhooks.pending.toLocaleString(language)],
                    [text.webhooks_delivered, webhooks.delivered.toLocaleString(language)],
                    [text.webhooks_failed, webhooks.failed_attempts.toLocaleString(language)],
                    [text.webhooks_given_up, webhooks.given_up.toLocaleString(language)],
                ]}
            />,
        ],
    ];
    return (
        <div className="grid gap-4 md:grid-cols-2 xl:grid-cols-3">
            {cards.map(([title, content]) => (
                <Card key={title} className="min-w-0">
                    <CardHeader>
                        <CardTitle>{title}</CardTitle>
                    </CardHeader>
                    <CardContent className="pt-3 sm:pt-3">{content}</CardContent>
                </Card>
            ))}
        </div>
    );
}

function Section({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
    return (
        <section className="space-y-3">
            <div className="flex min-h-9 flex-wrap items-center justify-between gap-2">
                <h2 className="text-base font-semibold">{title}</h2>
                {actions}
            </div>
            {children}
        </section>
    );
}

function Queue({ operations }: { operations: Operations }) {
    const text = useMessages(operationsMessages);
    const { language } = useLanguage();
    const waiting = operations.queue.filter((each) => each.waiting > 0);
    if (waiting.length === 0) return <p className="text-sm text-muted-foreground">{text.queue_empty}</p>;
    return (
        <Table label={text.queue}>
            <thead>
                <tr>
                    <th scope="col">{text.model}</th>
                    <th scope="col">{text.version}</th>
                    <th scope="col">{text.deployment}</th>
                    <th scope="col" className="text-right">
                        {text.waiting}
                    </th>
                    <th scope="col" className="text-right">
                        {text.since}
                    </th>
                </tr>
            </thead>
            <tbody>
                {waiting.map((each) => (
                    <tr key={`${each.model} ${each.version} ${each.deployment}`}>
                        <th scope="row">
                            <ModelLink name={each.model} />
                        </th>
                        <td>
                            <VersionCode id={each.version} />
                        </td>
                        <td>{each.deployment ?? "–"}</td>
                        <td className="text-right tabular-nums">{each.waiting.toLocaleString(language)}</td>
                        <td className="text-right whitespace-nowrap tabular-nums">{formatSeconds(each.oldest_wait_s, language)}</td>
                    </tr>
                ))}
            </tbody>
        </Table>
    );
}

function Totals({ operations }: { operations: Operations }) {
    const text = useMessages(operationsMessages);
    const { language } = useLanguage();
    if (operations.totals.length === 0) return <p className="text-sm text-muted-foreground">{text.totals_none}</p>;
    const heads = [text.succeeded, text.failed, text.canceled, text.mean_run, text.mean_queue];
    return (
        <Table label={text.totals}>
            <thead>
                <tr>
                    <th scope="col">{text.model}</th>
                    {heads.map((head) => (
                        <th key={head} scope="col" className="text-right">
                            {head}
                        </th>
                    ))}
                </tr>
            </thead>
            <tbody>
                {operations.totals.map((each) => {
                    const ended = each.succeeded + each.failed + each.canceled;
                    const mean = (sum_s: number) => (ended ? formatSeconds(sum_s / ended, language) : "–");
                    const cells = [each.succeeded.toLocaleString(language), each.failed.toLocaleString(language), each.canceled.toLocaleString(language), mean(each.predict_s), mean(each.queue_s)];
                    return (
                        <tr key={each.model}>
                            <th scope="row">
                                <ModelLink name={each.model} />
                            </th>
                            {cells.map((cell, index) => (
                                <td key={heads[index]} className="text-right whitespace-nowrap tabular-nums">
                                    {cell}
                                </td>
                            ))}
                        </tr>
                    );
                })}
            </tbody>
        </Table>
    );
}

function HistoryGraphs({ span, budget_bytes }: { span: Span; budget_bytes: number }) {
    const text = useMessages(operationsMessages);
    const history = useQuery(historyQuery(span));
    if (history.isPending) return <Skeleton className="h-72" />;
    if (!history.data) return <Alert tone="destructive">{history.error.message}</Alert>;
    if (history.data.points.length === 0) return <p className="text-sm text-muted-foreground">{text.history_none}</p>;
    return <Graphs history={history.data} span={span} budget_bytes={budget_bytes} />;
}

function Board({ operations, span }: { operations: Operations; span: Span }) {
    const text = useMessages(operationsMessages);
    const history = useQuery(historyQuery(span));
    return (
        <div className="space-y-7">
            {operations.draining && <Alert tone="warning">{text.draining}</Alert>}
            <NowTiles operations={operations} history={history.data} span={span} />
            <Resources operations={operations} />
            <Section title={text.runners} actions={<LoadModel />}>
                <Runners operations={operations} />
            </Section>
            <Section title={text.queue}>
                <Queue operations={operations} />
            </Section>
            <Section title={text.graphs}>
                <HistoryGraphs span={span} budget_bytes={operations.memory.budget_bytes} />
            </Section>
            <Section title={text.totals}>
                <Totals operations={operations} />
            </Section>
        </div>
    );
}

function OperationsBoard({ span, onSpan }: { span: Span; onSpan: (span: Span) => void }) {
    const text = useMessages(operationsMessages);
    const common = useMessages(commonMessages);
    const { language } = useLanguage();
    const operations = useQuery(operationsQuery);
    const data = operations.data;
    return (
        <>
            <PageHeader title={text.title} actions={<SpanChoice span={span} onChange={onSpan} />}>
                {data && text.about(data.version, formatTime(data.started_at, language), data.cpu_count)}
            </PageHeader>
            {data && <Board operations={data} span={span} />}
            {operations.isPending && <Skeleton className="h-96" />}
            {!data && operations.error && (
                <Alert tone="destructive" action={<Button size="sm" variant="outline" onClick={() => void operations.refetch()}>{common.retry}</Button>}>
                    {operations.error.message}
                </Alert>
            )}
        </>
    );
}

export function OperationsPage() {
    const text = useMessages(operationsMessages);
    const common = useMessages(commonMessages);
    const navigate = useNavigate();
    const span: Span = useSearch({ from: "/operations" }).span === "1d" ? "1d" : "2h";
    if (!useMay("operate"))
        return (
            <>
                <PageHeader title={text.title} />
                <EmptyState icon={<Activity />} title={common.not_allowed} />
            </>
        );
    return <OperationsBoard span={span} onSpan={(next) => void navigate({ to: "/operations", search: { span: next }, replace: true })} />;
}
