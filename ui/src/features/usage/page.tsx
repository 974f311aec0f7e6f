// What the account has used: totals, by day, by model and by token; the rows as CSV.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { BarChart3, Download } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useMay, useSession } from "@/api/session";
import type { Usage, UsageNumbers } from "@/api/types";
import { Alert, EmptyState, PageHeader, Skeleton, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Input, Label } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { formatMoney, formatSeconds } from "@/lib/format";
import { Tile, Tiles } from "@/features/chart/tile";
import { tokensQuery } from "@/api/tokens";
import { toCsv } from "@/features/usage/csv";
import { DayChart } from "@/features/usage/day-chart";
import { filled, lastDays, presetOf, RANGES, rangeOf, type Range } from "@/features/usage/days";
import { usageMessages } from "@/features/usage/messages";
import { NumbersTable, type NumbersRow } from "@/features/usage/numbers-table";
import { usageQuery } from "@/features/usage/queries";

function OwnRange({ range, onChange }: { range: Range; onChange: (range: Range) => void }) {
    const text = useMessages(usageMessages);
    const [typed, setTyped] = useState<Range>(range);
    const [shown, setShown] = useState(range);
    if (shown.from !== range.from || shown.to !== range.to) {
        setShown(range);
        setTyped(range);
    }
    const change = (next: Range) => {
        setTyped(next);
        const accepted = rangeOf(next.from, next.to, 0);
        if (accepted.from === next.from && accepted.to === next.to) onChange(next);
    };
    const wrong = Boolean(typed.from && typed.to) && rangeOf(typed.from, typed.to, 0).from !== typed.from;
    return (
        <div className="space-y-1.5">
            <div className="flex flex-wrap items-center gap-2">
                {(["from", "to"] as const).map((end) => (
                    <div key={end} className="flex items-center gap-2">
                        <Label htmlFor={`usage-${end}`} className="text-muted-foreground">
                            {text[end]}
                        </Label>
                        <Input id={`usage-${end}`} type="date" className="w-36" value={typed[end]} aria-invalid={wrong} onChange={(event) => change({ ...typed, [end]: event.target.value })} />
                    </div>
                ))}
            </div>
            {wrong && (
                <p role="alert" className="text-xs text-destructive">
                    {text.bad_range}
                </p>
            )}
        </div>
    );
}

function Period({ range, onChange }: { range: Range; onChange: (range: Range) => void }) {
    const text = useMessages(usageMessages);
    const preset = presetOf(range, Date.now());
    return (
        <div className="mb-5 flex flex-wrap items-start justify-between gap-3">
            <div role="group" aria-label={text.period} className="flex gap-1 rounded-lg bg-muted p-1">
                {RANGES.map((days) => (
                    <Button key={days} variant="ghost" size="sm" aria-pressed={preset === days} className="aria-pressed:bg-card aria-pressed:shadow-sm" onClick={() => onChange(lastDays(days, Date.now()))}>
                        {text.last_days(days)}
                    </Button>
                ))}
            </div>
            <OwnRange range={range} onChange={onChange} />
        </div>
    );
}

function Totals({ usage }: { usage: Usage }) {
    const text = useMessages(usageMessages);
    const { language } = useLanguage();
    const { total } = usage;
    const share = total.runs ? (total.failed / total.runs).toLocaleString(language, { style: "percent", maximumFractionDigits: 1 }) : null;
    const quota = usage.predictions_per_day;
    return (
        <Tiles>
            <Tile label={text.runs} value={total.runs.toLocaleString(language)} note={share && text.failed_share(share)} />
            <Tile label={text.succeeded} value={total.succeeded.toLocaleString(language)} note={`${text.failed}: ${total.failed.toLocaleString(language)}`} />
            <Tile label={text.seconds} value={formatSeconds(total.predict_time, language)} note={total.runs ? text.per_run(formatSeconds(total.predict_time / total.runs, language)) : undefined} />
            <Tile label={text.images} value={total.images.toLocaleString(language)} />
            <Tile label={text.cost} value={formatMoney(total.cost, language)} note={usage.credit === null ? text.plan(usage.plan) : `${text.credit}: ${formatMoney(usage.credit, language)}`} />
            <Tile label={text.today} value={usage.predictions_today.toLocaleString(language)} note={quota === null ? text.no_quota : text.of_quota(quota.toLocaleString(language))} />
        </Tiles>
    );
}

function ModelName({ name }: { name: string }) {
    const [owner, model, ...rest] = name.split("/");
    if (!owner || !model || rest.length) return name || "–";
    return (
        <Link to="/$owner/$name" params={{ owner, name: model }} className="underline-offset-4 hover:underline">
            {name}
        </Link>
    );
}

/** Names of the account's tokens, where one may know them. Those of revoked ones are not known to anybody. */
function useTokenNames(): (id: string) => ReactNode {
    const text = useMessages(usageMessages);
    const tokens = useQuery({ ...tokensQuery, enabled: useMay("manage") });
    const own = useSession()?.tokenId;
    return (id) => {
        const token = tokens.data?.find((each) => each.id === id);
        const note = id === own ? text.this_session : token ? `${token.starts}…` : null;
        return (
            <>
                {token?.name ?? <code className="text-[0.8125rem]">{id || "–"}</code>}
                {note && <span className="ml-2 text-xs font-normal text-muted-foreground">{note}</span>}
            </>
        );
    };
}

const byRuns = (a: UsageNumbers, b: UsageNumbers) => b.runs - a.runs;

function Part({ title, children }: { title: string; children: ReactNode }) {
    return (
        <section className="space-y-3">
            <h2 className="text-base font-semibold">{title}</h2>
            {children}
        </section>
    );
}

function Tables({ range, days }: { range: Range; days: (UsageNumbers & { day: string })[] }) {
    const text = useMessages(usageMessages);
    const { language } = useLanguage();
    const models = useQuery(usageQuery(range, "model"));
    const tokens = useQuery(usageQuery(range, "token"));
    const nameOf = useTokenNames();
    const model_rows: NumbersRow[] = [...(models.data?.rows ?? [])].sort(byRuns).map((row) => ({ ...row, key: row.model ?? "", name: <ModelName name={row.model ?? ""} /> }));
    const token_rows: NumbersRow[] = [...(tokens.data?.rows ?? [])].sort(byRuns).map((row) => ({ ...row, key: row.token ?? "", name: nameOf(row.token ?? "") }));
    const day_rows: NumbersRow[] = days
        .filter((row) => row.runs > 0)
        .reverse()
        .map((row) => ({ ...row, key: row.day, name: new Date(row.day).toLocaleDateString(language, { dateStyle: "medium", timeZone: "UTC" }) }));
    return (
        <>
            <Part title={text.by_model}>{models.data ? <NumbersTable label={text.by_model} head={text.model} rows={model_rows} /> : <Skeleton className="h-24" />}</Part>
            <Part title={text.by_token}>{tokens.data ? <NumbersTable label={text.by_token} head={text.token} rows={token_rows} /> : <Skeleton className="h-24" />}</Part>
            <Part title={text.by_day}>
                <NumbersTable label={text.by_day} head={text.day} rows={day_rows} />
            </Part>
        </>
    );
}

/** Every row: a day, a token and a model each. */
function useCsv(range: Range) {
    const text = useMessages(usageMessages);
    const say = useErrorText();
    const queries = useQueryClient();
    return useMutation({
        mutationFn: async () => {
            const usage = await queries.fetchQuery({ ...usageQuery(range, "day,token,model"), retry: false });
            const names = ["day", "token", "model", "runs", "succeeded", "failed", "predict_time", "images", "cost"] as const;
            const csv = toCsv([...names], usage.rows.map((row) => names.map((name) => row[name])));
            const url = URL.createObjectURL(new Blob([csv], { type: "text/csv;charset=utf-8" }));
            const link = document.createElement("a");
            link.href = url;
            link.download = `mimeo-usage-${range.from}-${range.to}.csv`;
            link.click();
            setTimeout(() => URL.revokeObjectURL(url), 10_000);
        },
        onError: (error) => toast(`${text.csv_failed} ${say(error)}`, "destructive"),
    });
}

function UsageOf({ range }: { range: Range }) {
    const text = useMessages(usageMessages);
    const common = useMessages(commonMessages);
    const usage = useQuery(usageQuery(range, "day"));
    if (usage.isPending) return <Skeleton className="h-80" />;
    if (!usage.data)
        return (
            <Alert tone="destructive" action={<Button size="sm" variant="outline" onClick={() => void usage.refetch()}>{common.retry}</Button>}>
                {usage.error.message}
            </Alert>
        );
    const days = filled(usage.data.rows, range);
    return (
        <div className="space-y-6">
            <Totals usage={usage.data} />
            {usage.data.total.runs === 0 ? (
                <EmptyState icon={<BarChart3 />} title={text.empty}>
                    {text.empty_help}
                </EmptyState>
            ) : (
                <>
                    <DayChart days={days} />
                    <Tables range={range} days={days} />
                </>
            )}
        </div>
    );
}

export function UsagePage() {
    const text = useMessages(usageMessages);
    const search = useSearch({ from: "/usage" });
    const navigate = useNavigate();
    const range = rangeOf(search.from, search.to, Date.now());
    const csv = useCsv(range);
    const account = useSession()?.account ?? "";
    return (
        <>
            <PageHeader
                title={text.title}
                actions={
                    <Button variant="outline" disabled={csv.isPending} onClick={() => csv.mutate()}>
                        {csv.isPending ? <Spinner /> : <Download />}
                        {text.csv}
                    </Button>
                }
            >
                {text.about(account)}
            </PageHeader>
            <Period range={range} onChange={(next) => void navigate({ to: "/usage", search: { ...next }, replace: true })} />
            <UsageOf range={range} />
        </>
    );
}
