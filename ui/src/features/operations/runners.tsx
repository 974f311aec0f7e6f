// Models in memory: the processes that run them, the memory they take, loading one and unloading one.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Cpu, Download, Upload } from "lucide-react";
import { useState } from "react";
import { modelsQuery, weightsQuery } from "@/api/queries";
import type { Operations, Runner } from "@/api/types";
import { Badge, EmptyState, Spinner, Table } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/select";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { useErrorText } from "@/components/error-text";
import { formatBytes } from "@/lib/format";
import { operationsMessages } from "@/features/operations/messages";
import { loadModel, operationsQuery, unloadRunner } from "@/api/operations";

const TONES = { loading: "warning", idle: "outline", running: "primary", ending: "neutral" } as const;

export function ModelLink({ name }: { name: string }) {
    const [owner = "", model = ""] = name.split("/");
    return (
        <Link to="/$owner/$name" params={{ owner, name: model }} className="text-foreground underline-offset-4 hover:underline">
            {name}
        </Link>
    );
}

export function VersionCode({ id }: { id: string }) {
    return (
        <code title={id} className="text-[0.8125rem]">
            {id.slice(0, 8)}
        </code>
    );
}

function useUnload() {
    const text = useMessages(operationsMessages);
    const say = useErrorText();
    const queries = useQueryClient();
    return useMutation({
        mutationFn: (runner: Runner) => unloadRunner(runner.pid),
        onSuccess: (_, runner) => toast(text.unloading(runner.model)),
        onError: (error) => toast(say(error), "destructive"),
        onSettled: () => void queries.invalidateQueries({ queryKey: operationsQuery.queryKey }),
    });
}

function RunnerRow({ runner }: { runner: Runner }) {
    const text = useMessages(operationsMessages);
    const { language } = useLanguage();
    const unload = useUnload();
    const busy = runner.state === "running" || runner.prediction !== null;
    return (
        <tr>
            <th scope="row">
                <ModelLink name={runner.model} />
                {runner.deployment && <span className="block text-xs font-normal">{runner.deployment}</span>}
            </th>
            <td>
                <VersionCode id={runner.version} />
            </td>
            <td>
                <Badge tone={TONES[runner.state]}>{text[`state_${runner.state}`]}</Badge>
            </td>
            <td className="text-right whitespace-nowrap tabular-nums">{formatBytes(runner.memory_bytes, language)}</td>
            <td>
                {runner.prediction ? (
                    <Link to="/p/$id" params={{ id: runner.prediction }} className="font-mono text-[0.8125rem] underline-offset-4 hover:underline">
                        {runner.prediction.slice(0, 10)}
                    </Link>
                ) : (
                    "–"
                )}
            </td>
            <td className="text-right tabular-nums">{runner.pid}</td>
            <td className="text-right">
                <Button variant="ghost" size="sm" title={busy ? text.unload_busy : undefined} disabled={busy || runner.state === "ending" || unload.isPending} aria-label={text.unload_named(runner.model)} onClick={() => unload.mutate(runner)}>
                    {unload.isPending ? <Spinner /> : <Upload />}
                    {text.unload}
                </Button>
            </td>
        </tr>
    );
}

export function LoadModel() {
    const text = useMessages(operationsMessages);
    const say = useErrorText();
    const queries = useQueryClient();
    const models = useQuery(modelsQuery);
    const weights = useQuery(weightsQuery);
    const [chosen, setChosen] = useState("");
    const load = useMutation({
        mutationFn: loadModel,
        onSuccess: (_, model) => toast(text.loading(model)),
        onError: (error) => toast(say(error), "destructive"),
        onSettled: () => void queries.invalidateQueries({ queryKey: operationsQuery.queryKey }),
    });
    const ready = new Set(weights.data?.results.filter((each) => each.state === "ready").map((each) => each.model));
    const names = (models.data ?? []).map((model) => `${model.owner}/${model.name}`).filter((name) => ready.has(name));
    const choices = [{ value: "", label: text.load_choose }, ...names.map((name) => ({ value: name, label: name }))];
    return (
        <form
            className="flex max-w-full flex-wrap items-center gap-2"
            onSubmit={(event) => {
                event.preventDefault();
                if (chosen) load.mutate(chosen);
            }}
        >
            <Select className="w-64 max-w-full" aria-label={text.load_label} title={text.load_help} choices={choices} value={chosen} onChange={setChosen} />
            <Button type="submit" variant="outline" disabled={!chosen || load.isPending}>
                {load.isPending ? <Spinner /> : <Download />}
                {text.load}
            </Button>
        </form>
    );
}

export function Runners({ operations }: { operations: Operations }) {
    const text = useMessages(operationsMessages);
    if (operations.runners.length === 0) return <EmptyState icon={<Cpu />} title={text.runners_none} />;
    return (
        <Table label={text.runners}>
            <thead>
                <tr>
                    <th scope="col">{text.model}</th>
                    <th scope="col">{text.version}</th>
                    <th scope="col">{text.state}</th>
                    <th scope="col" className="text-right">
                        {text.memory}
                    </th>
                    <th scope="col">{text.prediction}</th>
                    <th scope="col" className="text-right">
                        {text.process}
                    </th>
                    <th scope="col">
                        <span className="sr-only">{text.unload}</span>
                    </th>
                </tr>
            </thead>
            <tbody>
                {operations.runners.map((runner) => (
                    <RunnerRow key={runner.pid} runner={runner} />
                ))}
            </tbody>
        </Table>
    );
}

/** The budget as a bar: each runner a piece of it. The numbers stand beside it and in the table. */
export function MemoryBar({ operations }: { operations: Operations }) {
    const text = useMessages(operationsMessages);
    const { language } = useLanguage();
    const { budget_bytes, used_bytes, server_bytes } = operations.memory;
    const whole = Math.max(budget_bytes, used_bytes, 1);
    const full = used_bytes / Math.max(1, budget_bytes) > 0.9;
    const percent = Math.round((used_bytes / whole) * 100);
    return (
        <div className="space-y-2">
            <p className="text-sm">{text.memory_of(formatBytes(used_bytes, language), formatBytes(budget_bytes, language))}</p>
            <div role="meter" aria-label={text.memory} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent} className="flex h-3 w-full gap-px overflow-hidden rounded-full bg-input/35">
                {operations.runners.map((runner) => (
                    <span
                        key={runner.pid}
                        title={`${runner.model}: ${formatBytes(runner.memory_bytes, language)}`}
                        className={full ? "h-full bg-warning" : runner.state === "idle" ? "h-full bg-primary/55" : "h-full bg-primary"}
                        style={{ width: `${(runner.memory_bytes / whole) * 100}%` }}
                    />
                ))}
            </div>
            <p className="text-xs text-muted-foreground">{text.memory_server(formatBytes(server_bytes, language))}</p>
        </div>
    );
}
