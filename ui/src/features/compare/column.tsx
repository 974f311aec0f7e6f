// One column of a comparison: its model, its settings, its run and what came of it.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronDown, Copy, ExternalLink, Play, X } from "lucide-react";
import { useEffect, useId, useMemo, useState, type ReactNode } from "react";
import { ApiError } from "@/api/http";
import { modelQuery, versionsQuery } from "@/api/queries";
import type { Model, Prediction } from "@/api/types";
import { Alert, Badge, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Label } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { useLanguage, useMessages } from "@/i18n";
import { formatSeconds } from "@/lib/format";
import { inputOf, sharedFields, type Column, type Shared } from "@/features/compare/columns";
import { compareMessages } from "@/features/compare/messages";
import { WeightsGate } from "@/features/install/gate";
import { usePicture } from "@/features/picture/use-picture";
import { tookSeconds } from "@/features/outputs/took";
import { outputStem } from "@/features/outputs/outputs";
import { OutputView } from "@/features/run/output";
import { RunStatus } from "@/features/run/status-line";
import { useRun } from "@/features/run/use-run";
import { SchemaForm } from "@/features/schema-form/form";
import { cleanInput, defaultsOf, parseInput, validate, type InputField } from "@/features/schema-form/schema";

/** What the page can tell a column to do. */
export interface ColumnHandle {
    run: () => void;
    cancel: () => void;
}

interface ColumnProps {
    column: Column;
    number: number;
    shared: Shared;
    models: Model[];
    is_fastest: boolean;
    onChange: (column: Column) => void;
    onDuplicate?: () => void;
    onRemove?: () => void;
    onHandle: (id: string, handle: ColumnHandle | null) => void;
    onFields: (id: string, fields: { picture: boolean; prompt: boolean; accept?: string }) => void;
    onState: (id: string, state: { busy: boolean; seconds: number | null }) => void;
}

/** The fields of the column's version, once they are known. */
function useFields(column: Column) {
    const model = useQuery(modelQuery(column.model));
    const versions = useQuery(versionsQuery(column.model));
    const version = column.version ? versions.data?.find((each) => each.id === column.version) : model.data?.latest_version;
    const fields = useMemo(() => (version ? parseInput(version.openapi_schema) : null), [version]);
    return { fields, version, versions: versions.data ?? [], error: model.error ?? (column.version ? versions.error : null), missing: !version && !model.isPending && !versions.isPending };
}

function changedCount(fields: InputField[], values: Column["values"], except: string[]): number {
    return fields.filter((field) => !except.includes(field.name) && values[field.name] !== undefined && JSON.stringify(values[field.name]) !== JSON.stringify(field.default)).length;
}

function Settings({ fields, column, errors, except, onChange }: { fields: InputField[]; column: Column; errors: Record<string, string> | undefined; except: string[]; onChange: (values: Column["values"]) => void }) {
    const text = useMessages(compareMessages);
    const id = useId();
    const changed = changedCount(fields, column.values, except);
    const [open, setOpen] = useState(changed > 0);
    const wrong = Object.keys(errors ?? {}).some((name) => !except.includes(name));
    useEffect(() => {
        if (wrong) setOpen(true);
    }, [wrong, errors]);
    if (!fields.some((field) => !except.includes(field.name))) return null;
    return (
        <div className="border-t pt-2">
            <Button variant="ghost" size="sm" className="-mx-3 w-[calc(100%+1.5rem)] justify-between" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
                <span className="flex items-center gap-2">
                    {text.settings}
                    {changed > 0 && <Badge tone="primary">{text.changed(changed)}</Badge>}
                </span>
                <ChevronDown className={open ? "rotate-180" : undefined} />
            </Button>
            <div id={id} hidden={!open} className="pt-2">
                {open && <SchemaForm fields={fields} values={column.values} onChange={onChange} errors={errors} except={except} idPrefix={`column-${column.id}`} />}
            </div>
        </div>
    );
}

function Result({ prediction, shared, is_fastest }: { prediction: Prediction; shared: Shared; is_fastest: boolean }) {
    const text = useMessages(compareMessages);
    const { language } = useLanguage();
    const before = usePicture(shared.picture);
    const took = tookSeconds(prediction);
    const total = prediction.metrics?.total_time;
    return (
        <div className="space-y-3">
            {prediction.output !== null && <OutputView output={prediction.output} before={before.src ?? undefined} name={outputStem(prediction)} prediction={prediction.id} />}
            <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm">
                {took !== null && (
                    <span className="tabular-nums">
                        {text.ran_in} <strong>{formatSeconds(took, language)}</strong>
                        {typeof total === "number" && <span className="text-muted-foreground">, {formatSeconds(total, language)} {text.in_all}</span>}
                    </span>
                )}
                {is_fastest && <Badge tone="success">{text.fastest}</Badge>}
                <Link to="/p/$id" params={{ id: prediction.id }} className="ml-auto inline-flex items-center gap-1 text-primary underline underline-offset-2">
                    <ExternalLink aria-hidden className="size-3.5" />
                    {text.open}
                </Link>
            </p>
        </div>
    );
}

function Choices({ column, models, versions, onChange }: { column: Column; models: Model[]; versions: { id: string }[]; onChange: (column: Column) => void }) {
    const text = useMessages(compareMessages);
    const id = useId();
    const names = models.map((model) => `${model.owner}/${model.name}`);
    if (!names.includes(column.model)) names.push(column.model);
    const newest = versions[0]?.id.slice(0, 8) ?? "";
    return (
        <div className="space-y-2">
            <div className="space-y-1">
                <Label htmlFor={`${id}-model`} className="text-xs text-muted-foreground">
                    {text.model}
                </Label>
                <Select id={`${id}-model`} value={column.model} onChange={(model) => onChange({ ...column, model, version: "", values: {} })} choices={names.sort().map((name) => ({ value: name, label: name }))} />
            </div>
            {(versions.length > 1 || column.version !== "") && (
                <div className="space-y-1">
                    <Label htmlFor={`${id}-version`} className="text-xs text-muted-foreground">
                        {text.version}
                    </Label>
                    <Select id={`${id}-version`} value={column.version} onChange={(version) => onChange({ ...column, version })} choices={[{ value: "", label: text.newest(newest) }, ...versions.map((version) => ({ value: version.id, label: version.id.slice(0, 12) }))]} />
                </div>
            )}
        </div>
    );
}

function Head({ number, onDuplicate, onRemove, children }: { number: number; onDuplicate?: () => void; onRemove?: () => void; children: ReactNode }) {
    const text = useMessages(compareMessages);
    return (
        <div className="flex items-center gap-1">
            <h2 className="mr-auto text-base font-semibold">{text.column(number)}</h2>
            {children}
            {onDuplicate && (
                <Button variant="ghost" size="icon-sm" aria-label={`${text.duplicate} (${number})`} onClick={onDuplicate}>
                    <Copy />
                </Button>
            )}
            {onRemove && (
                <Button variant="ghost" size="icon-sm" aria-label={`${text.remove} (${number})`} onClick={onRemove}>
                    <X />
                </Button>
            )}
        </div>
    );
}

/** Starting and checking a column; what the page needs to know of it is told upwards. */
function useColumn({ column, shared, onHandle, onFields, onState }: ColumnProps) {
    const { language } = useLanguage();
    const known = useFields(column);
    const run = useRun(`compare-${column.id}`);
    const [errors, setErrors] = useState<Record<string, string>>();
    const { fields, version } = known;
    const to_share = useMemo(() => (fields ? sharedFields(fields) : {}), [fields]);

    const start = () => {
        if (!fields || !version) return;
        const input = inputOf(fields, { ...defaultsOf(fields), ...column.values }, shared);
        const wrong = validate(fields, input, language);
        setErrors(wrong);
        if (Object.keys(wrong).length === 0) void run.start(version.id, cleanInput(fields, input));
    };
    useEffect(() => {
        onHandle(column.id, { run: start, cancel: run.cancel });
        return () => onHandle(column.id, null);
    }); // the newest each time: it holds what is shared now

    useEffect(() => onFields(column.id, { picture: Boolean(to_share.picture), prompt: Boolean(to_share.prompt), accept: to_share.picture?.accept }), [column.id, to_share, onFields]);
    const busy = run.state.kind === "preparing" || run.state.kind === "running";
    const seconds = run.state.kind === "ended" && run.state.prediction.status === "succeeded" ? tookSeconds(run.state.prediction) : null;
    useEffect(() => onState(column.id, { busy, seconds }), [column.id, busy, seconds, onState]);

    // A 422 of the server belongs to its fields.
    const refusal = run.state.kind === "refused" && run.state.error instanceof ApiError ? run.state.error : null;
    useEffect(() => {
        if (refusal && Object.keys(refusal.fields).length) setErrors(refusal.fields);
    }, [refusal]);
    const except = [to_share.picture?.name, to_share.prompt?.name].filter((name) => name !== undefined);
    return { ...known, run, errors, start, busy, except };
}

export function ColumnCard(props: ColumnProps) {
    const { column, number, shared, models, is_fastest, onChange, onDuplicate, onRemove } = props;
    const text = useMessages(compareMessages);
    const { fields, versions, error, missing, run, errors, start, busy, except } = useColumn(props);
    const shared_errors = Object.entries(errors ?? {}).filter(([name]) => except.includes(name));
    return (
        <Card className="flex min-w-0 flex-col gap-3 p-4" aria-label={text.column(number)}>
            <Head number={number} onDuplicate={onDuplicate} onRemove={onRemove}>
                <Button variant="outline" size="sm" disabled={busy || !fields} aria-label={`${text.run_one}: ${text.column(number)}`} onClick={start}>
                    <Play />
                    {text.run_one}
                </Button>
            </Head>
            <Choices column={column} models={models} versions={versions} onChange={onChange} />
            {error && <Alert tone="destructive">{error.message}</Alert>}
            {!fields && !error && !missing && <Skeleton className="h-24" />}
            {fields && (
                <WeightsGate model={column.model} compact>
                    <Settings fields={fields} column={{ ...column, values: { ...defaultsOf(fields), ...column.values } }} errors={errors} except={except} onChange={(values) => onChange({ ...column, values })} />
                    {shared_errors.map(([name, message]) => (
                        <Alert key={name} tone="destructive">
                            {name}: {message}
                        </Alert>
                    ))}
                    <RunStatus run={run} />
                    {run.state.kind === "idle" && <p className="rounded-md border border-dashed px-3 py-8 text-center text-sm text-muted-foreground">{text.not_run}</p>}
                    {run.state.kind === "ended" && <Result prediction={run.state.prediction} shared={shared} is_fastest={is_fastest} />}
                    {run.state.kind === "running" && run.state.prediction.output !== null && <Result prediction={run.state.prediction} shared={shared} is_fastest={false} />}
                </WeightsGate>
            )}
        </Card>
    );
}
