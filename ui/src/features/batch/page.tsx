// Batch: several files through one function or model, with shared settings.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Download, Layers, Play, RotateCcw, Square, Trash2 } from "lucide-react";
import { useEffect, useId, useState } from "react";
import { Alert, EmptyState, PageHeader, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { Progress } from "@/components/ui/controls";
import { Label } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { useErrorText } from "@/components/error-text";
import { Chooser } from "@/features/batch/chooser";
import { Items } from "@/features/batch/items";
import { batchMessages } from "@/features/batch/messages";
import type { Item } from "@/features/batch/queue";
import { batch, remembered, useBatch } from "@/features/batch/store";
import { useTargets, type Target } from "@/features/batch/targets";
import { workOf } from "@/features/batch/work";
import { WeightsGate } from "@/features/install/gate";
import { fitsAccept } from "@/features/picture/file-input";
import { archiveName } from "@/lib/save";
import type { InputValues } from "@/features/run/prepare";
import { FILE_BYTES_MAX } from "@/features/picture/links";
import { SchemaForm } from "@/features/schema-form/form";
import { cleanInput, defaultsOf, validate, type InputField } from "@/features/schema-form/schema";

/** The file's name without its ending: what its output is called. */
function stemOf(name: string): string {
    return name.replace(/\.[^.]+$/, "") || name;
}

function useDownload(items: readonly Item[]) {
    const text = useMessages(batchMessages);
    const errorText = useErrorText();
    const [progress, setProgress] = useState<{ done: number; total: number } | null>(null);
    const done = items.filter((item) => item.state === "succeeded" && item.prediction);
    const download = async () => {
        setProgress({ done: 0, total: done.length });
        const { downloadOutputs, ZipTooLargeError } = await import("@/features/outputs/zip-download");
        try {
            const wanted = done.map((item) => ({ id: item.prediction!.id, stem: stemOf(item.file.name) }));
            const result = await downloadOutputs(wanted, archiveName(), setProgress);
            if (result.files) toast(text.zip_done(result.files));
            if (result.failed) toast(text.zip_failed(result.failed), "destructive");
        } catch (error) {
            toast(error instanceof ZipTooLargeError ? text.zip_too_large : errorText(error as Error), "destructive");
        } finally {
            setProgress(null);
        }
    };
    return { download, progress, count: done.length };
}

function SecondsLeft({ until }: { until: number }) {
    const text = useMessages(batchMessages);
    const [now, setNow] = useState(Date.now);
    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), 1000);
        return () => clearInterval(timer);
    }, []);
    return <Alert role="note">{text.waits(Math.max(0, Math.ceil((until - now) / 1000)))}</Alert>;
}

function Bar({ items, active, onStart }: { items: readonly Item[]; active: boolean; onStart: () => void }) {
    const text = useMessages(batchMessages);
    const { download, progress, count } = useDownload(items);
    const failed = items.filter((item) => item.state === "failed").length;
    const ended = items.filter((item) => item.state === "succeeded" || item.state === "failed" || item.state === "canceled").length;
    const to_run = items.filter((item) => item.state === "waiting" || item.state === "canceled").length;
    const words = text.progress(items.filter((item) => item.state === "succeeded").length, items.length, failed);
    return (
        <div className="space-y-3">
            <div className="flex flex-wrap items-center gap-2">
                {active ? (
                    <Button variant="outline" onClick={() => batch.cancelAll()}>
                        <Square />
                        {text.cancel_all}
                    </Button>
                ) : (
                    to_run > 0 && (
                        <Button onClick={onStart}>
                            <Play />
                            {text.start(to_run)}
                        </Button>
                    )
                )}
                {failed > 0 && (
                    <Button
                        variant="outline"
                        onClick={() => {
                            batch.retryFailed();
                            if (!active) onStart();
                        }}
                    >
                        <RotateCcw />
                        {text.retry_failed}
                    </Button>
                )}
                {count > 0 && (
                    <Button variant="outline" disabled={progress !== null} onClick={() => void download()}>
                        <Download />
                        {progress ? `${progress.done} / ${progress.total}` : text.download_all}
                    </Button>
                )}
                {!active && items.length > 0 && (
                    <Button variant="ghost" onClick={() => batch.clear()}>
                        <Trash2 />
                        {text.clear}
                    </Button>
                )}
            </div>
            {items.length > 0 && (active || ended > 0) && (
                <div className="space-y-1.5">
                    <p role="status" className="text-sm tabular-nums">
                        {words}
                    </p>
                    <Progress label={words} value={(ended / items.length) * 100} />
                </div>
            )}
        </div>
    );
}

/** What is chosen, kept for when one comes back to the page. */
function useChoice(target: Target) {
    const [values, setValues] = useState<InputValues>(() => remembered.values[target.value] ?? defaultsOf(target.fields));
    const [file_input, setFileInput] = useState(() => target.file_inputs.find((field) => field.name === remembered.file_input)?.name ?? target.file_inputs[0]!.name);
    useEffect(() => {
        remembered.values[target.value] = values;
        remembered.file_input = file_input;
    }, [target.value, values, file_input]);
    return { values, setValues, file_input: target.file_inputs.find((field) => field.name === file_input) ?? target.file_inputs[0]!, setFileInput };
}

function Settings({ target, targets, choice, errors, onTarget }: { target: Target; targets: Target[]; choice: ReturnType<typeof useChoice>; errors: Record<string, string> | undefined; onTarget: (value: string) => void }) {
    const text = useMessages(batchMessages);
    const id = useId();
    const except = [choice.file_input.name];
    const has_settings = target.fields.some((field) => !except.includes(field.name));
    return (
        <Card>
            <CardHeader>
                <CardTitle>{text.what}</CardTitle>
            </CardHeader>
            <CardContent className="space-y-4">
                <div className="space-y-1.5">
                    <Label htmlFor={`${id}-target`}>{text.target}</Label>
                    <Select id={`${id}-target`} value={target.value} onChange={onTarget} choices={targets.map((each) => ({ value: each.value, label: each.label }))} />
                </div>
                {target.file_inputs.length > 1 && (
                    <div className="space-y-1.5">
                        <Label htmlFor={`${id}-input`}>{text.file_input}</Label>
                        <Select id={`${id}-input`} value={choice.file_input.name} onChange={choice.setFileInput} choices={target.file_inputs.map((field) => ({ value: field.name, label: field.title }))} />
                    </div>
                )}
                {has_settings && (
                    <section className="space-y-3 border-t pt-4" aria-label={text.settings}>
                        <CardDescription>{text.settings_help}</CardDescription>
                        <SchemaForm fields={target.fields} values={choice.values} onChange={choice.setValues} except={except} errors={errors} idPrefix={`${id}-settings`} />
                    </section>
                )}
            </CardContent>
        </Card>
    );
}

function takeFiles(files: File[], field: InputField): number {
    const fitting = files.filter((file) => file.size <= FILE_BYTES_MAX && fitsAccept(file, field.accept));
    return files.length - batch.add(fitting);
}

function Work({ target, targets, onTarget }: { target: Target; targets: Target[]; onTarget: (value: string) => void }) {
    const text = useMessages(batchMessages);
    const { language } = useLanguage();
    const { items, active, waits_until } = useBatch();
    const choice = useChoice(target);
    const [errors, setErrors] = useState<Record<string, string>>();
    const start = () => {
        const settings = { ...choice.values };
        delete settings[choice.file_input.name];
        const wrong = validate(target.fields, settings, language);
        delete wrong[choice.file_input.name];
        setErrors(wrong);
        if (Object.keys(wrong).length) return toast(text.check_settings, "destructive");
        batch.start(workOf({ model: target.model, version: target.version, file_input: choice.file_input.name, settings: cleanInput(target.fields, settings) }));
    };
    const take = (files: File[]) => {
        const left = takeFiles(files, choice.file_input);
        if (left > 0) toast(text.not_taken(left), "destructive");
    };
    return (
        <div className="grid grid-cols-1 items-start gap-5 xl:grid-cols-[minmax(0,24rem)_minmax(0,1fr)]">
            <Settings target={target} targets={targets} choice={choice} errors={errors} onTarget={onTarget} />
            <div className="min-w-0 space-y-4">
                <WeightsGate model={target.model}>
                    <Chooser accept={choice.file_input.accept} onFiles={take} />
                </WeightsGate>
                {items.length > 0 && (
                    <>
                        <Bar items={items} active={active} onStart={start} />
                        {waits_until !== null && <SecondsLeft until={waits_until} />}
                        {active && <Alert tone="warning">{text.stay}</Alert>}
                        <Items items={items} onRemove={(id) => batch.remove(id)} />
                    </>
                )}
            </div>
        </div>
    );
}

export function BatchPage() {
    const text = useMessages(batchMessages);
    const errorText = useErrorText();
    const search = useSearch({ from: "/batch" });
    const navigate = useNavigate();
    const { targets, pending, error } = useTargets();
    const wanted = search.function ?? remembered.target;
    const target = targets.find((each) => each.value === wanted) ?? targets[0];
    const choose = (value: string) => {
        remembered.target = value;
        void navigate({ to: "/batch", search: { function: value }, replace: true });
    };
    return (
        <>
            <PageHeader title={text.title}>{text.intro}</PageHeader>
            {error && <Alert tone="destructive">{errorText(error)}</Alert>}
            {pending && <Skeleton className="h-72" />}
            {!pending && !error && !target && (
                <EmptyState icon={<Layers />} title={text.no_targets}>
                    {text.no_targets_help}
                </EmptyState>
            )}
            {target && <Work key={target.value} target={target} targets={targets} onTarget={choose} />}
        </>
    );
}
