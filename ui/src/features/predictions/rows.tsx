// The predictions of a page of the list: a table, or cards where the window is as narrow as a phone.
import { Link } from "@tanstack/react-router";
import type { Prediction } from "@/api/types";
import { Ago } from "@/components/ago";
import { Table } from "@/components/ui/bits";
import { Checkbox } from "@/components/ui/controls";
import { useLanguage, useMessages } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatSeconds } from "@/lib/format";
import { Thumbnail } from "@/features/outputs/thumbnail";
import { tookSeconds } from "@/features/outputs/took";
import { predictionMessages } from "@/features/predictions/messages";
import { StatusBadge } from "@/features/predictions/status-badge";
import { useNarrow } from "@/features/predictions/use-narrow";

export interface Selection {
    chosen: Set<string>;
    choose: (ids: string[], on: boolean) => void;
}

function useWords(prediction: Prediction) {
    const text = useMessages(predictionMessages);
    const { language } = useLanguage();
    const took = tookSeconds(prediction);
    return {
        source: prediction.source === "web" ? text.source_web : prediction.source === "api" ? text.source_api : prediction.source,
        took: took === null ? "–" : formatSeconds(took, language),
    };
}

function Row({ prediction, selection }: { prediction: Prediction; selection: Selection }) {
    const text = useMessages(predictionMessages);
    const words = useWords(prediction);
    const chosen = selection.chosen.has(prediction.id);
    return (
        <tr className={cn("hover:bg-accent/40", chosen && "bg-accent/60")}>
            <td className="w-0">
                <Checkbox aria-label={text.select_one(prediction.id)} checked={chosen} onCheckedChange={(on) => selection.choose([prediction.id], on === true)} />
            </td>
            <td className="w-0">
                <Thumbnail prediction={prediction} />
            </td>
            <td>
                <StatusBadge status={prediction.status} />
            </td>
            <td className="max-w-72 min-w-44">
                <Link to="/p/$id" params={{ id: prediction.id }} className="block truncate font-medium hover:underline">
                    {prediction.model || text.prediction}
                </Link>
                <span className="block truncate font-mono text-xs text-muted-foreground">{prediction.id}</span>
            </td>
            <td>{words.source}</td>
            <td className="whitespace-nowrap">
                <Ago at={prediction.created_at} />
            </td>
            <td className="text-right whitespace-nowrap tabular-nums">{words.took}</td>
        </tr>
    );
}

function RowsTable({ predictions, selection }: { predictions: Prediction[]; selection: Selection }) {
    const text = useMessages(predictionMessages);
    return (
        <Table label={text.title}>
            <thead>
                <tr>
                    <th className="w-0">
                        <SelectAll predictions={predictions} selection={selection} />
                    </th>
                    <th>{text.output}</th>
                    <th>{text.status}</th>
                    <th>{text.model}</th>
                    <th>{text.source}</th>
                    <th>{text.created}</th>
                    <th className="text-right">{text.took}</th>
                </tr>
            </thead>
            <tbody>
                {predictions.map((prediction) => (
                    <Row key={prediction.id} prediction={prediction} selection={selection} />
                ))}
            </tbody>
        </Table>
    );
}

function SelectAll({ predictions, selection }: { predictions: Prediction[]; selection: Selection }) {
    const text = useMessages(predictionMessages);
    const count = predictions.filter((prediction) => selection.chosen.has(prediction.id)).length;
    const checked = count === 0 ? false : count === predictions.length ? true : "indeterminate";
    return <Checkbox aria-label={text.select_all} checked={checked} onCheckedChange={(on) => selection.choose(predictions.map((prediction) => prediction.id), on === true)} />;
}

function RowCard({ prediction, selection }: { prediction: Prediction; selection: Selection }) {
    const text = useMessages(predictionMessages);
    const words = useWords(prediction);
    return (
        <li className="relative flex items-center gap-3 rounded-lg border bg-card p-3">
            <Checkbox className="relative z-10" aria-label={text.select_one(prediction.id)} checked={selection.chosen.has(prediction.id)} onCheckedChange={(on) => selection.choose([prediction.id], on === true)} />
            <Thumbnail prediction={prediction} className="size-16" />
            <div className="min-w-0 flex-1 space-y-1">
                <Link to="/p/$id" params={{ id: prediction.id }} className="block truncate text-sm font-medium after:absolute after:inset-0 after:rounded-lg">
                    {prediction.model || text.prediction}
                </Link>
                <StatusBadge status={prediction.status} />
                <p className="text-xs text-muted-foreground">
                    <Ago at={prediction.created_at} />
                    {[words.took, words.source].filter((word) => word !== "–").map((word) => ` · ${word}`)}
                </p>
            </div>
        </li>
    );
}

export function Rows({ predictions, selection }: { predictions: Prediction[]; selection: Selection }) {
    const text = useMessages(predictionMessages);
    if (!useNarrow()) return <RowsTable predictions={predictions} selection={selection} />;
    return (
        <div className="space-y-2">
            <div className="flex min-h-6 items-center gap-3 px-3 text-sm text-muted-foreground">
                <SelectAll predictions={predictions} selection={selection} />
                <span aria-hidden>{text.select_all}</span>
            </div>
            <ul className="space-y-2">
                {predictions.map((prediction) => (
                    <RowCard key={prediction.id} prediction={prediction} selection={selection} />
                ))}
            </ul>
        </div>
    );
}
