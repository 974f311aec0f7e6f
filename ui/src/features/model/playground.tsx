// The playground: the form on one side, the run and its result on the other.
import { Link } from "@tanstack/react-router";
import { ImageIcon, Play, WandSparkles, X } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { useMay } from "@/api/session";
import type { Model, Prediction } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { Alert, EmptyState, Kbd, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card, CardContent } from "@/components/ui/card";
import { Label } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { formatTime } from "@/lib/format";
import { useShortcut } from "@/lib/shortcuts";
import { WeightsGate } from "@/features/install/gate";
import { usePicture } from "@/features/picture/use-picture";
import { OutputView } from "@/features/run/output";
import { RunStatus } from "@/features/run/status-line";
import { modelMessages } from "@/features/model/messages";
import type { Playground } from "@/features/model/use-playground";
import { InputEditor } from "@/features/schema-form/editor";
import type { InputField } from "@/features/schema-form/schema";

function RunButton({ playground }: { playground: Playground }) {
    const text = useMessages(modelMessages);
    const common = useMessages(commonMessages);
    const { run } = playground;
    const working = run.state.kind === "preparing" || run.state.kind === "running";
    useShortcut("Ctrl+Enter", text.running_help, () => playground.start(), !working);
    useShortcut("Escape", text.cancel_help, run.cancel, working);
    return (
        <div className="flex flex-wrap items-center gap-3">
            <Button size="lg" disabled={working || playground.broken} onClick={() => playground.start()}>
                {working ? <Spinner /> : <Play />}
                {common.run}
            </Button>
            {working && (
                <Button variant="outline" size="lg" className="lg:hidden" onClick={run.cancel}>
                    <X />
                    {common.cancel}
                </Button>
            )}
            <span className="hidden items-center gap-1 text-xs text-muted-foreground sm:flex" aria-hidden>
                <Kbd>Ctrl</Kbd>
                <Kbd>Enter</Kbd>
            </span>
            {playground.broken && <p className="text-sm text-destructive">{text.mend_json}</p>}
        </div>
    );
}

function FromNote({ playground }: { playground: Playground }) {
    const text = useMessages(modelMessages);
    const { from } = playground;
    if (from.pending) return <Alert>{text.from_loading}</Alert>;
    if (from.error) return <Alert tone="warning">{text.from_failed(from.error.message)}</Alert>;
    if (from.prediction?.data_removed) return <Alert tone="warning">{text.from_removed}</Alert>;
    return from.prediction ? <Alert>{text.from_shown}</Alert> : null;
}

function VersionSelect({ playground, model, onVersion }: { playground: Playground; model: Model; onVersion: (id: string | undefined) => void }) {
    const text = useMessages(modelMessages);
    const { language } = useLanguage();
    if (playground.versions.length < 2 && !playground.versionMissing) return null;
    const newest = model.latest_version?.id;
    const choices = playground.versions.map((version) => ({ value: version.id, label: `${version.id.slice(0, 12)} · ${new Date(version.created_at).toLocaleDateString(language)}${version.id === newest ? ` · ${text.version_newest}` : ""}` }));
    const current = playground.version?.id ?? "";
    if (current && !choices.some((choice) => choice.value === current)) choices.push({ value: current, label: current.slice(0, 12) });
    return (
        <div className="mb-4 space-y-2">
            <div className="flex items-center gap-3">
                <Label htmlFor="playground-version" className="shrink-0">
                    {text.version}
                </Label>
                <Select id="playground-version" value={current} choices={choices} onChange={(id) => onVersion(id === newest ? undefined : id)} />
            </div>
            {playground.versionMissing && <Alert tone="warning">{text.version_missing}</Alert>}
        </div>
    );
}

/** The picture a result was made from: the first file input's. */
function useBefore(fields: InputField[], prediction: Prediction | undefined): string | undefined {
    const name = fields.find((field) => field.kind === "file" && field.accept?.startsWith("image"))?.name;
    const value = name && prediction ? prediction.input?.[name] : undefined;
    return usePicture(typeof value === "string" ? value : null).src ?? undefined;
}

const STACKED_PX = 1024; // below this the result stands under the form

/** Where the result is below the form, it comes into view when a run begins. */
function useScrolledTo(begins: boolean) {
    const box = useRef<HTMLElement>(null);
    useEffect(() => {
        if (begins && window.innerWidth < STACKED_PX) box.current?.scrollIntoView({ block: "start", behavior: "smooth" });
    }, [begins]);
    return box;
}

function Result({ playground, model }: { playground: Playground; model: Model }) {
    const text = useMessages(modelMessages);
    const { language } = useLanguage();
    const { state } = playground.run;
    const prediction = state.kind === "running" || state.kind === "ended" ? state.prediction : undefined;
    const before = useBefore(playground.fields, prediction);
    const box = useScrolledTo(state.kind === "preparing");
    const has_output = prediction !== undefined && prediction.output !== null && prediction.output !== undefined;
    return (
        <section ref={box} aria-label={text.output} className="scroll-mt-18 space-y-4">
            <RunStatus run={playground.run} />
            {prediction && has_output && <OutputView output={prediction.output} before={before} name={model.name} prediction={prediction.id} />}
            {state.kind === "idle" && (
                <EmptyState icon={<ImageIcon />} title={text.output_empty}>
                    {text.output_empty_help}
                </EmptyState>
            )}
            {state.kind === "ended" && (
                <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-sm text-muted-foreground">
                    <Link to="/p/$id" params={{ id: state.prediction.id }} className="inline-flex min-h-6 items-center underline underline-offset-4 hover:text-foreground">
                        {text.to_prediction}
                    </Link>
                    <CopyButton text={`${window.location.origin}/p/${state.prediction.id}`}>{text.share}</CopyButton>
                    {state.prediction.completed_at && <span className="tabular-nums">{formatTime(state.prediction.completed_at, language)}</span>}
                </div>
            )}
        </section>
    );
}

export function PlaygroundTab({ playground, model, onVersion }: { playground: Playground; model: Model; onVersion: (id: string | undefined) => void }) {
    const text = useMessages(modelMessages);
    const may_run = useMay("run");
    const example = model.default_example?.input;
    const fill_button = useMemo(
        () =>
            example && (
                <Button variant="ghost" size="sm" title={text.example_fill_help} onClick={() => playground.fill(example)}>
                    <WandSparkles />
                    {text.example_fill}
                </Button>
            ),
        [example, playground, text],
    );
    return (
        <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,5fr)_minmax(0,6fr)] xl:gap-8">
            <Card>
                {/* What gets focus stays clear of the bars above and below. */}
                <CardContent className="**:scroll-mt-20 **:scroll-mb-28">
                    <VersionSelect playground={playground} model={model} onVersion={onVersion} />
                    <div className="mb-4 empty:hidden">
                        <FromNote playground={playground} />
                    </div>
                    <InputEditor fields={playground.fields} values={playground.values} onChange={playground.setValues} errors={playground.errors} idPrefix="input" onBroken={playground.setBroken} actions={fill_button} />
                    <div className="sticky bottom-0 has-[>[role=status]]:static has-[>section]:static -mx-4 mt-6 -mb-4 rounded-b-lg border-t bg-card/95 p-4 backdrop-blur sm:-mx-5 sm:-mb-5 sm:px-5">
                        {may_run ? (
                            <WeightsGate model={`${model.owner}/${model.name}`} compact>
                                <RunButton playground={playground} />
                            </WeightsGate>
                        ) : (
                            <Alert>{text.may_not_run}</Alert>
                        )}
                    </div>
                </CardContent>
            </Card>
            <div className="min-w-0 lg:sticky lg:top-18">
                <Result playground={playground} model={model} />
            </div>
        </div>
    );
}
