// The files of a batch and what became of each.
import { Link } from "@tanstack/react-router";
import { Ban, Check, Clock, ExternalLink, FileIcon, Trash2, X } from "lucide-react";
import { useEffect, useState } from "react";
import { Badge, Spinner, Table } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { useLanguage, useMessages } from "@/i18n";
import { formatBytes, formatSeconds } from "@/lib/format";
import { batchMessages } from "@/features/batch/messages";
import type { Item, ItemState } from "@/features/batch/queue";
import { tookSeconds } from "@/features/outputs/took";
import { Thumbnail } from "@/features/outputs/thumbnail";

function StateBadge({ state }: { state: ItemState }) {
    const text = useMessages(batchMessages);
    const words = text[`state_${state}`];
    if (state === "succeeded") return <Badge tone="success"><Check aria-hidden />{words}</Badge>;
    if (state === "failed") return <Badge tone="destructive"><X aria-hidden />{words}</Badge>;
    if (state === "canceled") return <Badge tone="outline"><Ban aria-hidden />{words}</Badge>;
    if (state === "waiting") return <Badge tone="neutral"><Clock aria-hidden />{words}</Badge>;
    return <Badge tone="primary"><Spinner />{words}</Badge>;
}

function FilePicture({ file }: { file: File }) {
    const [src, setSrc] = useState<string | null>(null);
    useEffect(() => {
        if (!file.type.startsWith("image/")) return;
        const made = URL.createObjectURL(file);
        setSrc(made);
        return () => URL.revokeObjectURL(made);
    }, [file]);
    if (!src)
        return (
            <span className="flex size-12 shrink-0 items-center justify-center rounded-md border text-muted-foreground">
                <FileIcon aria-hidden className="size-5" />
            </span>
        );
    return <img src={src} alt="" loading="lazy" decoding="async" className="checkerboard size-12 shrink-0 rounded-md border object-cover" />;
}

function Row({ item, onRemove }: { item: Item; onRemove: (id: number) => void }) {
    const text = useMessages(batchMessages);
    const { language } = useLanguage();
    const busy = item.state === "sending" || item.state === "running";
    const took = item.prediction && !busy ? tookSeconds(item.prediction) : null;
    return (
        <tr>
            <td className="max-w-52 min-w-44 sm:max-w-72">
                <span className="flex items-center gap-3">
                    <FilePicture file={item.file} />
                    <span className="min-w-0">
                        <span className="block truncate" title={item.file.name}>
                            {item.file.name}
                        </span>
                        <span className="block text-xs text-muted-foreground">{formatBytes(item.file.size, language)}</span>
                    </span>
                </span>
            </td>
            <td className="max-w-80">
                <StateBadge state={item.state} />
                {item.error && <p className="mt-1 text-xs break-words text-destructive">{item.error}</p>}
            </td>
            <td className="text-right whitespace-nowrap tabular-nums">{took === null ? "–" : formatSeconds(took, language)}</td>
            <td>{item.prediction && item.state === "succeeded" && <Thumbnail prediction={item.prediction} />}</td>
            <td className="w-0 text-right whitespace-nowrap">
                {item.prediction && (
                    <Button asChild variant="ghost" size="icon-sm">
                        <Link to="/p/$id" params={{ id: item.prediction.id }} aria-label={`${text.open}: ${item.file.name}`}>
                            <ExternalLink />
                        </Link>
                    </Button>
                )}
                {!busy && (
                    <Button variant="ghost" size="icon-sm" aria-label={text.remove(item.file.name)} onClick={() => onRemove(item.id)}>
                        <Trash2 />
                    </Button>
                )}
            </td>
        </tr>
    );
}

export function Items({ items, onRemove }: { items: readonly Item[]; onRemove: (id: number) => void }) {
    const text = useMessages(batchMessages);
    return (
        <Table label={text.files}>
            <thead>
                <tr>
                    <th>{text.file}</th>
                    <th>{text.state}</th>
                    <th className="text-right">{text.took}</th>
                    <th>{text.result}</th>
                    <th>
                        <span className="sr-only">{text.action}</span>
                    </th>
                </tr>
            </thead>
            <tbody>
                {items.map((item) => (
                    <Row key={item.id} item={item} onRemove={onRemove} />
                ))}
            </tbody>
        </Table>
    );
}
