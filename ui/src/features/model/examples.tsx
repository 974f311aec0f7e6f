// A model's examples: what went in, what came out, and how to run it here.
import { useQuery } from "@tanstack/react-query";
import { ExternalLink, Play, Shapes } from "lucide-react";
import { modelWeightsQuery } from "@/api/queries";
import { useMay } from "@/api/session";
import type { Json, Model, Prediction } from "@/api/types";
import { Alert, EmptyState, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { formatSeconds } from "@/lib/format";
import { safeLink } from "@/lib/safe-links";
import { canShow, isLink, nameOfLink } from "@/features/picture/links";
import { OutputView } from "@/features/run/output";
import { linksIn } from "@/features/model/links-in";
import { modelMessages } from "@/features/model/messages";
import { examplesQuery } from "@/features/model/queries";

function ValueView({ value }: { value: Json }) {
    if (isLink(value) && !value.startsWith("data:")) {
        const link = safeLink(value);
        return link ? (
            <a href={link} target="_blank" rel="noreferrer noopener" className="break-all text-primary underline underline-offset-4">
                {nameOfLink(link) || link}
            </a>
        ) : (
            value
        );
    }
    const shown = typeof value === "string" ? value : JSON.stringify(value);
    return <span className="break-words whitespace-pre-wrap">{shown.length > 600 ? `${shown.slice(0, 600)}…` : shown}</span>;
}

function InputList({ input }: { input: Record<string, Json> }) {
    return (
        <dl className="grid grid-cols-[minmax(6rem,auto)_minmax(0,1fr)] gap-x-4 gap-y-1.5 text-sm">
            {Object.entries(input)
                .filter(([, value]) => value !== null && value !== "")
                .map(([name, value]) => (
                    <div key={name} className="contents">
                        <dt className="font-mono text-xs leading-5 break-all text-muted-foreground">{name}</dt>
                        <dd className="min-w-0">
                            <ValueView value={value} />
                        </dd>
                    </div>
                ))}
        </dl>
    );
}

/** The output, where this page may show it; links to it where not. */
function ExampleOutput({ example, name }: { example: Prediction; name: string }) {
    const text = useMessages(modelMessages);
    const away = linksIn(example.output).filter((link) => !canShow(link));
    if (away.length === 0) return <OutputView output={example.output} name={name} />;
    return (
        <div className="space-y-2 rounded-lg border border-dashed p-4 text-sm">
            <p className="text-muted-foreground">{text.example_output_away}</p>
            <ul className="space-y-1">
                {away.map((link) => (
                    <li key={link}>
                        <a href={safeLink(link) ?? undefined} target="_blank" rel="noreferrer noopener" className="inline-flex min-h-6 items-center gap-1.5 break-all text-primary underline underline-offset-4">
                            {nameOfLink(link) || link}
                            <ExternalLink aria-hidden className="size-3.5 shrink-0" />
                        </a>
                    </li>
                ))}
            </ul>
        </div>
    );
}

function ExampleCard({ example, position, model, ready, onFill, onRun }: { example: Prediction; position: number; model: Model; ready: boolean; onFill: () => void; onRun: () => void }) {
    const text = useMessages(modelMessages);
    const { language } = useLanguage();
    const away = linksIn(example.input).filter((link) => !canShow(link));
    const hosts = [...new Set(away.map((link) => new URL(link).host))];
    const took = example.metrics?.predict_time;
    return (
        <Card>
            <CardHeader>
                <div className="space-y-1">
                    <CardTitle>{text.example(position)}</CardTitle>
                    {typeof took === "number" && <p className="text-xs text-muted-foreground">{text.example_took(formatSeconds(took, language))}</p>}
                </div>
                <div className="flex flex-wrap gap-2">
                    <Button variant="outline" size="sm" onClick={onFill}>
                        {text.example_use}
                    </Button>
                    {ready && (
                        <Button size="sm" onClick={onRun}>
                            <Play />
                            {text.example_run}
                        </Button>
                    )}
                </div>
            </CardHeader>
            <CardContent className="space-y-4">
                {hosts.length > 0 && <Alert>{text.example_files(hosts.join(", "))}</Alert>}
                <div className="grid gap-6 lg:grid-cols-2">
                    <section className="min-w-0 space-y-2">
                        <h3 className="text-sm font-medium text-muted-foreground">{text.input}</h3>
                        <InputList input={example.input ?? {}} />
                    </section>
                    <section className="min-w-0 space-y-2">
                        <h3 className="text-sm font-medium text-muted-foreground">{text.output}</h3>
                        <ExampleOutput example={example} name={model.name} />
                    </section>
                </div>
            </CardContent>
        </Card>
    );
}

/** The model's own example first, then the others of the list. */
function examplesOf(model: Model, listed: Prediction[]): Prediction[] {
    const own = model.default_example;
    return own ? [own, ...listed.filter((each) => each.id !== own.id)] : listed;
}

export function ExamplesTab({ model, onFill, onRun }: { model: Model; onFill: (input: Record<string, Json>) => void; onRun: (input: Record<string, Json>) => void }) {
    const text = useMessages(modelMessages);
    const common = useMessages(commonMessages);
    const full_name = `${model.owner}/${model.name}`;
    const listed = useQuery(examplesQuery(full_name));
    const weights = useQuery(modelWeightsQuery(full_name)).data;
    const may_run = useMay("run");
    const examples = examplesOf(model, listed.data ?? []);
    const ready = may_run && weights?.state === "ready" && weights.fits;
    if (examples.length === 0 && listed.isPending) return <Skeleton className="h-64" />;
    if (examples.length === 0 && listed.error)
        return (
            <Alert tone="destructive" action={<Button variant="outline" size="sm" onClick={() => void listed.refetch()}>{common.retry}</Button>}>
                {listed.error.message}
            </Alert>
        );
    if (examples.length === 0)
        return (
            <EmptyState icon={<Shapes />} title={text.examples_none}>
                {text.examples_none_help}
            </EmptyState>
        );
    return (
        <div className="space-y-5">
            <h2 className="sr-only">{text.tab_examples}</h2>
            {examples.map((example, index) => (
                <ExampleCard key={example.id} example={example} position={index + 1} model={model} ready={ready} onFill={() => onFill(example.input ?? {})} onRun={() => onRun(example.input ?? {})} />
            ))}
        </div>
    );
}
