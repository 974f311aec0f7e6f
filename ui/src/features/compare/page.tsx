// Compare: one input, several models or settings, side by side.
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Columns2, Play, Plus, Square } from "lucide-react";
import { useCallback, useEffect, useId, useRef, useState } from "react";
import { functionsQuery, modelsQuery, predictionQuery } from "@/api/queries";
import type { Model, Prediction } from "@/api/types";
import { Alert, EmptyState, PageHeader, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { Label, Textarea } from "@/components/ui/input";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { cn } from "@/lib/cn";
import { useShortcut } from "@/lib/shortcuts";
import { ColumnCard, type ColumnHandle } from "@/features/compare/column";
import { fastest, fromText, MOST_COLUMNS, newColumn, sharedFields, toText, type Comparison } from "@/features/compare/columns";
import { compareMessages } from "@/features/compare/messages";
import { FileInput } from "@/features/picture/file-input";
import { REDACTED } from "@/features/outputs/redacted";
import { parseInput } from "@/features/schema-form/schema";

const KEY = "mimeo-compare";

function nameOf(model: Model): string {
    return `${model.owner}/${model.name}`;
}

/** From a prediction: its model and settings twice, so that one of them can be changed. */
function fromPrediction(prediction: Prediction, models: Model[]): Comparison {
    const model = models.find((each) => nameOf(each) === prediction.model);
    const schema = model?.latest_version?.openapi_schema;
    const { picture, prompt } = schema ? sharedFields(parseInput(schema)) : {};
    const values = Object.fromEntries(Object.entries(prediction.input).filter(([name, value]) => name !== picture?.name && name !== prompt?.name && value !== REDACTED));
    const version = prediction.version === model?.latest_version?.id ? "" : prediction.version;
    const given_picture = picture && prediction.input[picture.name];
    const given_prompt = prompt && prediction.input[prompt.name];
    return {
        columns: [newColumn(prediction.model, version, values), newColumn(prediction.model, version, structuredClone(values))],
        shared: { picture: typeof given_picture === "string" ? given_picture : null, prompt: typeof given_prompt === "string" ? given_prompt : "" },
    };
}

function firstComparison(models: Model[], wanted: string | undefined, ready: string | undefined): Comparison {
    const model = models.map(nameOf).find((name) => name === wanted) ?? ready ?? nameOf(models[0]!);
    return { columns: [newColumn(model), newColumn(model)], shared: { picture: null, prompt: "" } };
}

/** The comparison, kept in this tab. ?from and ?model begin a new one and leave the address. */
function useComparison(models: Model[] | undefined) {
    const search = useSearch({ from: "/compare" });
    const navigate = useNavigate();
    const functions = useQuery(functionsQuery);
    const origin = useQuery({ ...predictionQuery(search.from ?? ""), enabled: Boolean(search.from), refetchInterval: false });
    const [comparison, setComparison] = useState<Comparison | null>(() => (search.from || search.model ? null : fromText(sessionStorage.getItem(KEY))));
    const [missing, setMissing] = useState(false);
    const origin_known = !search.from || origin.data !== undefined || origin.isError;
    useEffect(() => {
        if (!models?.length || !origin_known || functions.isPending) return;
        if (comparison && !search.from && !search.model) return;
        const usable = origin.data && !origin.data.data_removed && origin.data.model ? origin.data : null;
        setMissing(Boolean(search.from) && !usable);
        const ready = functions.data?.find((each) => each.ready)?.model;
        setComparison(usable ? fromPrediction(usable, models) : firstComparison(models, search.model, ready));
        if (search.from || search.model) void navigate({ to: "/compare", replace: true });
    }, [models, origin_known, origin.data, functions.isPending, functions.data, comparison, search.from, search.model, navigate]);
    useEffect(() => {
        if (!comparison) return;
        try {
            sessionStorage.setItem(KEY, toText(comparison));
        } catch {
            // an embedded picture may be larger than the browser keeps: then a reload begins anew
        }
    }, [comparison]);
    return { comparison, setComparison, missing };
}

/** What the columns tell: their handles, which shared inputs they take, how they are. */
function useColumns() {
    const handles = useRef(new Map<string, ColumnHandle>());
    const [fields, setFields] = useState<Record<string, { picture: boolean; prompt: boolean; accept?: string }>>({});
    const [states, setStates] = useState<Record<string, { busy: boolean; seconds: number | null }>>({});
    const onHandle = useCallback((id: string, handle: ColumnHandle | null) => {
        if (handle) handles.current.set(id, handle);
        else handles.current.delete(id);
    }, []);
    const onFields = useCallback((id: string, told: { picture: boolean; prompt: boolean; accept?: string }) => setFields((before) => ({ ...before, [id]: told })), []);
    const onState = useCallback((id: string, told: { busy: boolean; seconds: number | null }) => setStates((before) => ({ ...before, [id]: told })), []);
    return { handles, fields, states, onHandle, onFields, onState };
}

function SharedInput({ comparison, takes, onChange }: { comparison: Comparison; takes: { picture: boolean; prompt: boolean; accept?: string }; onChange: (shared: Comparison["shared"]) => void }) {
    const text = useMessages(compareMessages);
    const id = useId();
    const { shared } = comparison;
    return (
        <Card>
            <CardHeader>
                <CardTitle>{text.shared}</CardTitle>
            </CardHeader>
            <CardContent className={cn("grid grid-cols-1 gap-4", takes.picture && takes.prompt && "md:grid-cols-2")}>
                {!takes.picture && !takes.prompt && <p className="text-sm text-muted-foreground">{text.shared_none}</p>}
                {takes.picture && (
                    <div className="min-w-0 space-y-1.5">
                        <Label htmlFor={`${id}-picture`}>{text.picture}</Label>
                        <FileInput id={`${id}-picture`} label={text.picture} accept={takes.accept ?? "image/*"} value={shared.picture} onChange={(picture) => onChange({ ...shared, picture })} />
                    </div>
                )}
                {takes.prompt && (
                    <div className="min-w-0 space-y-1.5">
                        <Label htmlFor={`${id}-prompt`}>{text.prompt}</Label>
                        <Textarea id={`${id}-prompt`} value={shared.prompt} onChange={(event) => onChange({ ...shared, prompt: event.target.value })} />
                    </div>
                )}
            </CardContent>
        </Card>
    );
}

const WIDTHS = ["", "", "md:grid-cols-2", "md:grid-cols-2 2xl:grid-cols-3", "md:grid-cols-2 2xl:grid-cols-4", "md:grid-cols-2 2xl:grid-cols-3", "md:grid-cols-2 2xl:grid-cols-3"];

function Comparing({ comparison, models, onChange }: { comparison: Comparison; models: Model[]; onChange: (comparison: Comparison) => void }) {
    const text = useMessages(compareMessages);
    const { handles, fields, states, onHandle, onFields, onState } = useColumns();
    const { columns, shared } = comparison;
    const known = columns.map((column) => fields[column.id]).filter((each) => each !== undefined);
    const takes = { picture: known.some((each) => each.picture), prompt: known.some((each) => each.prompt), accept: known.find((each) => each.picture)?.accept };
    const busy = columns.some((column) => states[column.id]?.busy);
    const best = fastest(Object.fromEntries(columns.map((column) => [column.id, states[column.id]?.seconds ?? null])));
    const runAll = () => columns.forEach((column) => handles.current.get(column.id)?.run());
    const cancelAll = () => columns.forEach((column) => states[column.id]?.busy && handles.current.get(column.id)?.cancel());
    useShortcut("Ctrl+Enter", text.run_all, runAll, !busy);
    const add = (after: number, column: Comparison["columns"][number]) => onChange({ ...comparison, columns: columns.slice(0, after + 1).concat(column, columns.slice(after + 1)) });
    const full = columns.length >= MOST_COLUMNS;
    return (
        <div className="space-y-5">
            <SharedInput comparison={comparison} takes={takes} onChange={(next) => onChange({ ...comparison, shared: next })} />
            <div className="flex flex-wrap gap-2">
                <Button disabled={busy} onClick={runAll}>
                    <Play />
                    {text.run_all}
                </Button>
                {busy && (
                    <Button variant="outline" onClick={cancelAll}>
                        <Square />
                        {text.cancel_all}
                    </Button>
                )}
                <Button variant="outline" disabled={full} onClick={() => add(columns.length - 1, newColumn(columns.at(-1)!.model, columns.at(-1)!.version))}>
                    <Plus />
                    {text.add}
                </Button>
            </div>
            <div className={cn("grid grid-cols-1 items-start gap-4", WIDTHS[columns.length])}>
                {columns.map((column, index) => (
                    <ColumnCard
                        key={column.id}
                        column={column}
                        number={index + 1}
                        shared={shared}
                        models={models}
                        is_fastest={best === column.id}
                        onChange={(next) => onChange({ ...comparison, columns: columns.map((each) => (each.id === next.id ? next : each)) })}
                        onDuplicate={full ? undefined : () => add(index, newColumn(column.model, column.version, { ...column.values }))}
                        onRemove={columns.length > 1 ? () => onChange({ ...comparison, columns: columns.filter((each) => each.id !== column.id) }) : undefined}
                        onHandle={onHandle}
                        onFields={onFields}
                        onState={onState}
                    />
                ))}
            </div>
        </div>
    );
}

export function ComparePage() {
    const text = useMessages(compareMessages);
    const common = useMessages(commonMessages);
    const errorText = useErrorText();
    const models = useQuery(modelsQuery);
    const { comparison, setComparison, missing } = useComparison(models.data);
    return (
        <>
            <PageHeader title={text.title}>{text.intro}</PageHeader>
            {missing && <Alert tone="warning" className="mb-4">{text.from_missing}</Alert>}
            {models.isError && (
                <Alert tone="destructive" className="mb-4" action={<Button variant="outline" size="sm" onClick={() => void models.refetch()}>{common.retry}</Button>}>
                    {errorText(models.error)}
                </Alert>
            )}
            {models.data?.length === 0 && (
                <EmptyState icon={<Columns2 />} title={text.no_models}>
                    {text.no_models_help}
                </EmptyState>
            )}
            {!comparison && !models.isError && models.data?.length !== 0 && <Skeleton className="h-72" />}
            {comparison && models.data && <Comparing comparison={comparison} models={models.data} onChange={setComparison} />}
        </>
    );
}
