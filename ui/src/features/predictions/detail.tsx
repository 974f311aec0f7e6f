// The permanent page of a prediction: what went in, what came out, how it went. Live while it runs.
import { Link, useParams } from "@tanstack/react-router";
import { ChevronLeft, SearchX } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "@/api/http";
import { isEnded } from "@/api/queries";
import type { Prediction, Progress as PredictionProgress } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { Alert, EmptyState, PageHeader, Skeleton, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { Progress } from "@/components/ui/controls";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { formatCount, formatSeconds, formatTime } from "@/lib/format";
import { usePicture } from "@/features/picture/use-picture";
import { PredictionActions } from "@/features/predictions/actions";
import { firstPicture, InputView } from "@/features/predictions/input-view";
import { Logs } from "@/features/predictions/logs";
import { predictionMessages } from "@/features/predictions/messages";
import { StatusBadge } from "@/features/predictions/status-badge";
import { Timeline } from "@/features/predictions/timeline";
import { useLivePrediction } from "@/features/predictions/use-live-prediction";
import { OutputView } from "@/features/run/output";
import { Deliveries } from "@/features/deliveries/deliveries";

function Box({ title, children }: { title: string; children: ReactNode }) {
    return (
        <Card className="min-w-0">
            <CardHeader>
                <CardTitle>{title}</CardTitle>
            </CardHeader>
            <CardContent>{children}</CardContent>
        </Card>
    );
}

/** Model, version, when, by what: the line under the heading. */
function About({ prediction }: { prediction: Prediction }) {
    const text = useMessages(predictionMessages);
    const { language } = useLanguage();
    const [owner, name] = prediction.model.split("/");
    return (
        <div className="flex flex-wrap items-center gap-x-4 gap-y-1.5">
            <span role="status">
                <StatusBadge status={prediction.status} />
            </span>
            <span className="flex items-center gap-0.5 font-mono text-xs">
                {prediction.id}
                <CopyButton text={prediction.id} label={text.copy_id} className="size-6" />
            </span>
            {owner && name && prediction.version && (
                <Link to="/$owner/$name" params={{ owner, name }} search={{ version: prediction.version }} className="text-primary underline underline-offset-2">
                    {text.version} <span className="font-mono text-xs">{prediction.version.slice(0, 12)}</span>
                </Link>
            )}
            {prediction.deployment && (
                <Link to="/deployments" className="text-primary underline underline-offset-2">
                    {text.deployment}: {prediction.deployment}
                </Link>
            )}
            <time dateTime={prediction.created_at}>{formatTime(prediction.created_at, language)}</time>
            <span>{prediction.source === "web" ? text.source_web : text.source_api}</span>
        </div>
    );
}

/** What an ended run has to say beside its output, and what one under way is at. */
function State({ prediction, progress }: { prediction: Prediction; progress: PredictionProgress | undefined }) {
    const text = useMessages(predictionMessages);
    const title = prediction.status === "failed" ? text.failed_title : prediction.status === "canceled" ? text.canceled_title : text.aborted_title;
    return (
        <>
            {(prediction.status === "failed" || prediction.status === "canceled" || prediction.status === "aborted") && (
                <Alert tone={prediction.status === "failed" ? "destructive" : "neutral"}>
                    <p className="font-semibold">{title}</p>
                    {prediction.error && <p className="mt-0.5 max-h-60 overflow-auto [overflow-wrap:anywhere] whitespace-pre-wrap">{prediction.error}</p>}
                </Alert>
            )}
            {prediction.data_removed && (
                <Alert>
                    <p className="font-semibold">{text.removed_title}</p>
                    <p className="mt-0.5 max-w-prose text-muted-foreground">{text.removed_text}</p>
                </Alert>
            )}
            {!isEnded(prediction.status) && progress && progress.phase !== "ended" && <UnderWay progress={progress} />}
        </>
    );
}

function UnderWay({ progress }: { progress: PredictionProgress }) {
    const text = useMessages(predictionMessages);
    const stages = { queued: text.stage_waiting, preparing: text.stage_preparing, loading: text.stage_loading, running: text.stage_running, ended: text.stage_ending };
    const stepping = progress.phase === "running" && progress.step !== null && progress.steps ? text.step_of(progress.step, progress.steps) : null;
    const words = [stages[progress.phase], progress.phase === "queued" && progress.place ? text.place(progress.place) : null, stepping].filter(Boolean).join(" · ");
    return (
        <Alert role="note">
            <p className="flex items-center gap-2 font-semibold">
                <Spinner />
                {words}
            </p>
            {progress.blocked && <p className="mt-1">{progress.blocked}</p>}
            {stepping && <Progress className="mt-2" label={stepping} value={(progress.step! / progress.steps!) * 100} />}
        </Alert>
    );
}

function Output({ prediction }: { prediction: Prediction }) {
    const text = useMessages(predictionMessages);
    const before = usePicture(prediction.data_removed ? null : firstPicture(prediction.input));
    if (prediction.output === null || prediction.output === undefined)
        return isEnded(prediction.status) ? (
            <p className="text-sm text-muted-foreground">{prediction.data_removed ? text.data_removed : text.no_output_ended}</p>
        ) : (
            <div className="flex min-h-48 items-center justify-center rounded-md border border-dashed text-sm text-muted-foreground">{text.no_output_yet}</div>
        );
    const name = `${prediction.model.split("/").at(-1) || "output"}-${prediction.id}`;
    return <OutputView output={prediction.output} before={before.src ?? undefined} name={name} prediction={prediction.id} />;
}

function Metrics({ metrics }: { metrics: NonNullable<Prediction["metrics"]> }) {
    const { language } = useLanguage();
    const shown = Object.entries(metrics).filter(([, value]) => value !== undefined && value !== null);
    const words = (name: string, value: unknown) => {
        if (typeof value !== "number") return typeof value === "string" ? value : JSON.stringify(value);
        return /_time$|_seconds$/.test(name) ? formatSeconds(value, language) : formatCount(value, language);
    };
    return (
        <dl className="grid grid-cols-[auto_1fr] items-baseline gap-x-4 gap-y-1.5 text-sm">
            {shown.map(([name, value]) => (
                <div key={name} className="contents">
                    <dt className="font-mono text-xs text-muted-foreground">{name}</dt>
                    <dd className="text-right [overflow-wrap:anywhere] tabular-nums">{words(name, value)}</dd>
                </div>
            ))}
        </dl>
    );
}

function PageSkeleton() {
    const text = useMessages(commonMessages);
    return (
        <div role="status" aria-label={text.loading} className="grid gap-4 lg:grid-cols-2">
            <Skeleton className="h-72" />
            <Skeleton className="h-72" />
            <Skeleton className="h-40 lg:col-span-2" />
        </div>
    );
}

function BackLink() {
    const text = useMessages(predictionMessages);
    return (
        <Link to="/predictions" className="mb-2 inline-flex items-center gap-1 rounded-sm py-0.5 text-sm text-muted-foreground hover:text-foreground">
            <ChevronLeft aria-hidden className="size-4" />
            {text.back}
        </Link>
    );
}

function Parts({ prediction, progress, logs }: { prediction: Prediction; progress: PredictionProgress | undefined; logs: string }) {
    const text = useMessages(predictionMessages);
    const live = !isEnded(prediction.status);
    const metrics = prediction.metrics && Object.keys(prediction.metrics).length > 0 ? prediction.metrics : null;
    return (
        <div className="space-y-4">
            <State prediction={prediction} progress={progress} />
            {!(prediction.data_removed && !live) && (
                <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
                    <Box title={text.input}>
                        <InputView input={prediction.input} />
                    </Box>
                    <Box title={text.output}>
                        <Output prediction={prediction} />
                    </Box>
                </div>
            )}
            {!(prediction.data_removed && !live) && <Logs key={prediction.id} logs={logs} live={live} name={`${prediction.model.split("/").at(-1)}-${prediction.id}`} />}
            <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
                {progress && progress.timeline.length > 0 && <Timeline progress={progress} />}
                {metrics && (
                    <Box title={text.metrics}>
                        <Metrics metrics={metrics} />
                    </Box>
                )}
            </div>
            {prediction.webhook && (
                <Box title={text.webhook}>
                    <Deliveries prediction={prediction.id} />
                </Box>
            )}
        </div>
    );
}

export function PredictionPage() {
    const text = useMessages(predictionMessages);
    const common = useMessages(commonMessages);
    const { id } = useParams({ from: "/p/$id" });
    const errorText = useErrorText();
    const { prediction, progress, logs } = useLivePrediction(id);
    if (prediction.error instanceof ApiError && prediction.error.status === 404 && !prediction.data)
        return (
            <>
                <BackLink />
                <EmptyState icon={<SearchX />} title={<span role="heading" aria-level={1}>{text.not_found}</span>}>
                    {text.not_found_help}
                </EmptyState>
            </>
        );
    const [owner, name] = prediction.data?.model.split("/") ?? [];
    const title =
        owner && name ? (
            <Link to="/$owner/$name" params={{ owner, name }} className="hover:underline">
                {owner}/{name}
            </Link>
        ) : (
            text.prediction
        );
    return (
        <>
            <BackLink />
            <PageHeader title={title} actions={prediction.data && <PredictionActions prediction={prediction.data} />}>
                {prediction.data && <About prediction={prediction.data} />}
            </PageHeader>
            {prediction.isError && (
                <Alert tone="destructive" className="mb-4" action={<Button variant="outline" size="sm" onClick={() => void prediction.refetch()}>{common.retry}</Button>}>
                    {errorText(prediction.error)}
                </Alert>
            )}
            {prediction.isPending && <PageSkeleton />}
            {prediction.data && <Parts prediction={prediction.data} progress={progress.data} logs={logs} />}
        </>
    );
}
