// The status of a run in one line: where it is, how far, how long; a way to cancel; the sentence of an error.
import { CircleCheck, CircleSlash, X } from "lucide-react";
import { useEffect, useState } from "react";
import { ApiError } from "@/api/http";
import type { Prediction, Progress as RunProgress } from "@/api/types";
import { Alert, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Progress } from "@/components/ui/controls";
import { useLanguage, useMessages, type Language } from "@/i18n";
import { useErrorText } from "@/components/error-text";
import { formatBytes, formatSeconds } from "@/lib/format";
import { runMessages } from "@/features/run/messages";
import type { Run, RunState } from "@/features/run/use-run";

const TICK_MS = 100;

/** Seconds since a time, counted by this browser's clock from when it was first seen (the server's clock may differ). */
function useElapsed(since: string): number {
    const [now, setNow] = useState(() => Date.now());
    const [offset_ms] = useState(() => Math.max(0, Date.parse(since) - Date.now()));
    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), TICK_MS);
        return () => clearInterval(timer);
    }, []);
    return Math.max(0, (now + offset_ms - Date.parse(since)) / 1000);
}

/** Apart from the live region: a count that ticks would be read out without end. */
function Elapsed({ since }: { since: string }) {
    const text = useMessages(runMessages);
    const { language } = useLanguage();
    const elapsed_s = useElapsed(since);
    return <span className="text-muted-foreground tabular-nums">{text.elapsed(formatSeconds(elapsed_s < 10 ? Math.round(elapsed_s * 10) / 10 : elapsed_s, language))}</span>;
}

/** A server that asked to wait: until when, counting down. */
function Throttled({ until_ms }: { until_ms: number }) {
    const text = useMessages(runMessages);
    const { language } = useLanguage();
    const [now, setNow] = useState(() => Date.now());
    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), 1000);
        return () => clearInterval(timer);
    }, []);
    return <span className="font-medium text-warning">{text.throttled_wait(formatSeconds(Math.max(1, Math.ceil((until_ms - now) / 1000)), language))}</span>;
}

type Text = (typeof runMessages)["en"];

function sentenceOf(text: Text, prediction: Prediction, progress: RunProgress | undefined): string {
    const phase = progress?.phase ?? (prediction.status === "processing" ? "running" : "queued");
    if (phase === "queued") return progress?.place === 1 ? text.queued_next : progress?.place ? text.queued_place(progress.place) : text.queued;
    if (phase === "preparing") return text.preparing;
    if (phase === "loading") return text.loading;
    return progress?.step != null && progress.steps ? text.running_step(progress.step, progress.steps) : text.running;
}

/** How far the whole is, of 100; null: not known. */
function partOf(state: RunState): number | null {
    if (state.kind === "preparing") return state.total > 0 ? (100 * state.done) / state.total : null;
    if (state.kind !== "running" || state.progress?.step == null || !state.progress.steps) return null;
    return (100 * state.progress.step) / state.progress.steps;
}

function Ended({ prediction }: { prediction: Prediction }) {
    const text = useMessages(runMessages);
    const { language } = useLanguage();
    if (prediction.status === "succeeded") {
        const time_s = prediction.metrics?.predict_time ?? (Date.parse(prediction.completed_at ?? "") - Date.parse(prediction.started_at ?? "")) / 1000;
        return (
            <p className="flex items-center gap-2 text-sm font-medium text-success">
                <CircleCheck aria-hidden className="size-4" />
                {text.done(formatSeconds(time_s, language))}
            </p>
        );
    }
    if (prediction.status === "canceled")
        return (
            <p className="flex items-center gap-2 text-sm font-medium text-muted-foreground">
                <CircleSlash aria-hidden className="size-4" />
                {text.canceled}
            </p>
        );
    return null;
}

function Trouble({ title, reason }: { title: string; reason: string }) {
    return (
        <Alert tone="destructive">
            <p className="font-medium">{title}</p>
            <p className="whitespace-pre-wrap">{reason}</p>
        </Alert>
    );
}

function useReason(error: Error): string {
    const text = useMessages(runMessages);
    const textOf = useErrorText();
    const { language } = useLanguage();
    if (error instanceof ApiError && error.status === 429 && error.retryAfterSeconds) return `${error.message} ${text.throttled(formatSeconds(error.retryAfterSeconds, language))}`;
    return textOf(error);
}

function Refused({ error }: { error: Error }) {
    const text = useMessages(runMessages);
    return <Trouble title={text.refused} reason={useReason(error)} />;
}

function Working({ state, run }: { state: Extract<RunState, { kind: "preparing" | "running" }>; run: Run }) {
    const text = useMessages(runMessages);
    const { language } = useLanguage();
    const part = partOf(state);
    let sentence: string;
    if (state.kind === "running") sentence = sentenceOf(text, state.prediction, state.progress);
    else if (state.total === 0) sentence = text.sending;
    else sentence = text.uploading(formatBytes(state.done, language), formatBytes(state.total, language));
    return (
        <div className="space-y-2">
            <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
                <Spinner className="text-primary" />
                {state.kind === "preparing" && state.throttled_until_ms ? <Throttled until_ms={state.throttled_until_ms} /> : <span className="font-medium">{sentence}</span>}
                {state.kind === "running" && <Elapsed key={state.prediction.id} since={state.prediction.created_at} />}
                <Button variant="outline" size="sm" className="ml-auto" onClick={run.cancel}>
                    <X />
                    {text.cancel}
                </Button>
            </div>
            <Progress label={text.progress} value={part} />
        </div>
    );
}

/** What is read out: changes of kind and phase, not every step. */
function spokenOf(text: Text, state: RunState, language: Language): string {
    if (state.kind === "preparing" && state.throttled_until_ms) return text.throttled_wait(formatSeconds(Math.max(1, Math.ceil((state.throttled_until_ms - Date.now()) / 1000)), language));
    if (state.kind === "preparing") return text.sending;
    if (state.kind !== "running") return "";
    return state.progress?.phase === "running" || state.prediction.status === "processing" ? text.running : sentenceOf(text, state.prediction, state.progress);
}

export function RunStatus({ run }: { run: Run }) {
    const text = useMessages(runMessages);
    const { language } = useLanguage();
    const { state } = run;
    const working = state.kind === "preparing" || state.kind === "running";
    return (
        <div className="space-y-2 empty:hidden">
            {working && <Working state={state} run={run} />}
            <div role="status" aria-label={text.status}>
                {working && <span className="sr-only">{spokenOf(text, state, language)}</span>}
                {state.kind === "running" && state.progress?.blocked && <p className="text-sm text-muted-foreground">{state.progress.blocked}</p>}
                {state.kind === "ended" && <Ended prediction={state.prediction} />}
            </div>
            {state.kind === "ended" && (state.prediction.status === "failed" || state.prediction.status === "aborted") && (
                <Trouble title={state.prediction.status === "failed" ? text.failed : text.aborted} reason={state.prediction.error || text.no_reason} />
            )}
            {state.kind === "refused" && <Refused error={state.error} />}
        </div>
    );
}
