// One tab: its form on the left, its result on the right.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronRight, Play } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { modelWeightsQuery } from "@/api/queries";
import { useMay } from "@/api/session";
import type { ApiFunction } from "@/api/types";
import { Alert, Kbd, Skeleton, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { cn } from "@/lib/cn";
import { formatSeconds } from "@/lib/format";
import { useShortcut } from "@/lib/shortcuts";
import { WeightsGate } from "@/features/install/gate";
import { SchemaForm } from "@/features/schema-form/form";
import { parseInput, type InputField } from "@/features/schema-form/schema";
import { homeMessages } from "@/features/home/messages";
import { MaskField, PictureField } from "@/features/home/picture-field";
import { versionQuery } from "@/features/home/queries";
import { Result } from "@/features/home/result";
import { TABS, type Tab, type TabName } from "@/features/home/tabs";
import { useTool, type Tool } from "@/features/home/use-tool";
import { wordOf } from "@/features/home/words";

interface PanelProps {
    tab: TabName;
    active: boolean;
    api_function: ApiFunction;
    onUse: (tab: TabName, file: File) => void;
    /** A picture was given: it may carry its making. */
    onGiven: (picture: File) => void;
}

function About({ tab, model }: { tab: Tab; model: string }) {
    const text = useMessages(homeMessages);
    const { language } = useLanguage();
    const weights = useQuery(modelWeightsQuery(model));
    const [owner, name] = model.split("/") as [string, string];
    const speed = weights.data?.speed;
    return (
        <p className="text-sm text-muted-foreground">
            {wordOf(text, "about", tab.name)}{" "}
            <Link to="/$owner/$name" params={{ owner, name }} className="underline underline-offset-4 hover:text-foreground">
                {model}
            </Link>
            {speed && speed.runs > 0 && <span> · {text.usual_time(formatSeconds(speed.p50_s, language))}</span>}
        </p>
    );
}

function RunButton({ tab, tool }: { tab: Tab; tool: Tool }) {
    const text = useMessages(homeMessages);
    return (
        <div className="flex flex-wrap items-center gap-3">
            <Button size="lg" className="min-w-48 flex-1 sm:flex-none" disabled={tool.working} onClick={tool.submit}>
                {tool.working ? <Spinner /> : <Play />}
                {wordOf(text, "do", tab.name)}
            </Button>
            <span className="hidden items-center gap-1.5 text-xs text-muted-foreground sm:flex">
                {text.run_hint} <Kbd>Ctrl</Kbd>
                <Kbd>Enter</Kbd>
            </span>
        </div>
    );
}

/** What is not shown in the open, folded; unfolded when something in it is wrong. */
function MoreSettings({ fields, except, tool, id }: { fields: InputField[]; except: string[]; tool: Tool; id: string }) {
    const text = useMessages(homeMessages);
    const [open, setOpen] = useState(false);
    const folded = fields.filter((field) => !except.includes(field.name));
    useEffect(() => {
        if (Object.keys(tool.errors ?? {}).some((name) => folded.some((field) => field.name === name))) setOpen(true);
    }, [tool.errors]); // when something new was found
    // A picture that was dropped on a tab without a large field for it lies in here.
    const given = folded.filter((field) => tool.values[field.name] instanceof File).length;
    useEffect(() => {
        if (given > 0) setOpen(true);
    }, [given]);
    if (folded.length === 0) return null;
    return (
        <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)} className="group rounded-lg border">
            <summary className="flex min-h-11 list-none items-center gap-2 px-3 text-sm font-medium [&::-webkit-details-marker]:hidden">
                <ChevronRight aria-hidden className="size-4 transition-transform group-open:rotate-90" />
                {text.more}
                <span className="text-xs font-normal text-muted-foreground">{folded.length}</span>
            </summary>
            <div className="border-t p-4">
                <SchemaForm fields={fields} values={tool.values} onChange={tool.setValues} errors={tool.errors} except={except} disabled={tool.working} idPrefix={id} />
            </div>
        </details>
    );
}

function ToolView({ tab, active, api_function, fields, onUse, onGiven }: Omit<PanelProps, "tab"> & { tab: Tab; fields: InputField[] }) {
    const text = useMessages(homeMessages);
    const may_run = useMay("run");
    const tool = useTool(tab, api_function, fields);
    const id = `home-${tab.name}`;
    const result = useRef<HTMLDivElement>(null);
    useShortcut("Ctrl+Enter", text.run_keys, tool.submit, active && may_run && !tool.working);
    useShortcut("Escape", text.cancel_keys, tool.run.cancel, active && tool.working);

    // On a phone the result is below: one is taken there when the run begins.
    const working_before = useRef(tool.working);
    useEffect(() => {
        if (tool.working && !working_before.current && active && (result.current?.getBoundingClientRect().top ?? 0) > window.innerHeight * 0.7) result.current?.scrollIntoView({ block: "start", behavior: "smooth" });
        working_before.current = tool.working;
    }, [tool.working, active]);

    const picture_error = tool.image_input ? tool.errors?.[tool.image_input] : undefined;
    useEffect(() => {
        if (picture_error && active) document.getElementById(`${id}-picture`)?.focus();
    }, [tool.errors]);

    const beside = [tool.image_input, tab.mask].filter((name) => name !== null && name !== undefined);
    const main = tab.main.filter((name) => fields.some((field) => field.name === name));
    const alone = tab.picture && !tool.picture && tool.run.state.kind === "idle";
    return (
        <div className={cn(alone ? "mx-auto max-w-3xl" : "grid items-start gap-6 lg:gap-8", !alone && (tab.mask ? "lg:grid-cols-2" : "lg:grid-cols-[minmax(20rem,26rem)_minmax(0,1fr)]"))}>
            <div className="min-w-0 space-y-5">
                <About tab={tab} model={api_function.model} />
                {tool.image_input && (
                    <PictureField
                        tab={tab}
                        id={`${id}-picture`}
                        value={tool.picture}
                        onChange={(picture) => {
                            tool.setPicture(picture);
                            if (picture instanceof File) onGiven(picture);
                        }}
                        error={picture_error}
                        disabled={tool.working}
                        reduce={tool.reduce}
                        onReduce={tool.setReduce}
                    />
                )}
                {tab.mask && <MaskField picture={tool.picture} value={tool.mask} onChange={tool.setMask} error={tool.errors?.[tab.mask]} />}
                {main.length > 0 && <SchemaForm fields={fields} values={tool.values} onChange={tool.setValues} errors={tool.errors} only={main} disabled={tool.working} idPrefix={id} />}
                <MoreSettings fields={fields} except={[...beside, ...main]} tool={tool} id={id} />
                {may_run ? (
                    <WeightsGate model={api_function.model} compact>
                        <RunButton tab={tab} tool={tool} />
                    </WeightsGate>
                ) : (
                    <Alert>{text.only_reading}</Alert>
                )}
            </div>
            {!alone && (
                <div ref={result} className="min-w-0 scroll-mt-20">
                    <Result tab={tab.name} run={tool.run} image_input={tool.image_input} given={tool.picture} name={tool.nameOf} onUse={onUse} />
                </div>
            )}
        </div>
    );
}

export function Panel({ tab, api_function, ...rest }: PanelProps) {
    const common = useMessages(commonMessages);
    const textOf = useErrorText();
    const version = useQuery(versionQuery(api_function.model, api_function.version));
    const fields = useMemo(() => (version.data ? parseInput(version.data.openapi_schema) : null), [version.data]);
    if (fields) return <ToolView key={api_function.version} tab={TABS[tab]} api_function={api_function} fields={fields} {...rest} />;
    if (version.error)
        return (
            <Alert
                tone="destructive"
                action={
                    <Button variant="outline" size="sm" onClick={() => void version.refetch()}>
                        {common.retry}
                    </Button>
                }
            >
                {textOf(version.error)}
            </Alert>
        );
    return (
        <div className="mx-auto max-w-3xl space-y-4">
            <Skeleton className="h-5 w-72" />
            <Skeleton className="h-64" />
            <Skeleton className="h-11 w-48" />
        </div>
    );
}
