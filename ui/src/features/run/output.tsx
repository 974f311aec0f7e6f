// The output of any model: pictures, videos, sounds, other files, text or JSON. Output links expire; with `prediction` they are fetched anew.
import { useQueryClient } from "@tanstack/react-query";
import { Download, FileDown } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { api, OfflineError } from "@/api/http";
import { predictionQuery } from "@/api/queries";
import type { Json, Prediction } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { Alert } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { useMessages } from "@/i18n";
import { cn } from "@/lib/cn";
import { bytesOf, canShow, fileNameFor, kindOf, localLink, nameOfLink } from "@/features/picture/links";
import type { Making } from "@/features/picture/making";
import { SaveLink } from "@/features/picture/save-link";
import { PictureViewer } from "@/features/picture/viewer";
import { runMessages } from "@/features/run/messages";
import { partsOf } from "@/features/run/output-parts";

interface OutputViewProps {
    output: Json;
    /** The picture it was made from: gives the before/after slider. */
    before?: string;
    /** What downloaded files are called, without an ending. */
    name?: string;
    /** The prediction's id: its links are fetched anew when they have expired. */
    prediction?: string;
    making?: Making;
    /** Buttons beside a shown file, by its link. */
    actions?: (link: string) => ReactNode;
}

const RENEW_PAUSE_MS = 10_000; // a file that is gone is not asked for over and over

interface Renewed {
    output: Json;
    /** Fresh links for all of it; null when there are none. Asked too often, or for nothing, the output is gone. */
    renew: () => Promise<Json | null>;
    gone: boolean;
}

/** The output with fresh links, once one of them has failed. */
function useRenewed(output: Json, prediction: string | undefined): Renewed {
    const queries = useQueryClient();
    const [renewed, setRenewed] = useState<{ of: Json; output: Json } | null>(null);
    const [gone, setGone] = useState(false);
    const last_ms = useRef(0);
    const renew = useCallback(async (): Promise<Json | null> => {
        if (!prediction || Date.now() - last_ms.current < RENEW_PAUSE_MS) {
            setGone(true);
            return null;
        }
        last_ms.current = Date.now();
        const fresh = await api<Prediction>("GET", `/v1/predictions/${encodeURIComponent(prediction)}`).catch((error: unknown) => (error instanceof OfflineError ? undefined : null));
        if (fresh === undefined) return null; // the server is away, which does not say that the file is
        if (fresh) queries.setQueryData(predictionQuery(prediction).queryKey, fresh);
        if (!fresh || fresh.output === null) setGone(true);
        else setRenewed({ of: output, output: fresh.output });
        return fresh?.output ?? null;
    }, [prediction, output, queries]);
    useEffect(() => setGone(false), [output]);
    return { output: renewed && renewed.of === output ? renewed.output : output, renew, gone };
}

type Renew = () => Promise<string | null>;

function FileLink({ link, name, renew }: { link: string; name: string; renew: Renew }) {
    const text = useMessages(runMessages);
    const shown = nameOfLink(link) || name;
    return (
        <Button asChild variant="outline">
            <SaveLink href={localLink(link)} name={name} renew={renew}>
                <FileDown />
                {text.download_file(shown)}
            </SaveLink>
        </Button>
    );
}

/** A media element does not tell why it failed: expired and broken look the same, so both are renewed once. */
function Media({ link, name, kind, renew, actions }: { link: string; name: string; kind: "video" | "audio"; renew: Renew; actions?: ReactNode }) {
    const text = useMessages(runMessages);
    return (
        <div className="space-y-2">
            {kind === "video" ? (
                <video controls src={localLink(link)} onError={() => void renew()} aria-label={text.watch} className="max-h-[70vh] w-full rounded-lg border bg-black" />
            ) : (
                <audio controls src={localLink(link)} onError={() => void renew()} aria-label={text.listen} className="w-full" />
            )}
            <div className="flex flex-wrap gap-2">
                <Button asChild variant="outline" size="sm">
                    <SaveLink href={localLink(link)} name={name} renew={renew}>
                        <Download />
                        {text.download_file(name)}
                    </SaveLink>
                </Button>
                {actions}
            </div>
        </div>
    );
}

function Thumbnails({ links, chosen, onChoose }: { links: string[]; chosen: number; onChoose: (index: number) => void }) {
    const text = useMessages(runMessages);
    return (
        <ul className="flex gap-2 overflow-x-auto p-1">
            {links.map((link, index) => (
                <li key={index}>
                    <button
                        type="button"
                        aria-label={text.show_number(index + 1)}
                        aria-current={index === chosen}
                        onClick={() => onChoose(index)}
                        className={cn("checkerboard block size-16 overflow-hidden rounded-md border-2", index === chosen ? "border-primary" : "border-transparent opacity-80 hover:opacity-100")}
                    >
                        {kindOf(link) === "picture" && canShow(link) ? <img src={localLink(link)} alt="" className="size-full object-cover" /> : <span className="text-xs">{nameOfLink(link)}</span>}
                    </button>
                </li>
            ))}
        </ul>
    );
}

function Files({ links, before, name, onRenew, actions }: { links: string[]; before?: string; name: string; onRenew: () => Promise<Json | null>; actions?: (link: string) => ReactNode }) {
    const text = useMessages(runMessages);
    const [chosen, setChosen] = useState(0);
    const index = Math.min(chosen, links.length - 1);
    const link = links[index]!;
    const kind = canShow(link) ? kindOf(link) : "away";
    const file_name = fileNameFor(link, name, links.length > 1 ? index + 1 : undefined);
    const renew = async () => {
        const fresh = partsOf(await onRenew());
        const found = fresh.kind === "files" ? fresh.links[index] : undefined;
        return found ? localLink(found) : null;
    };
    return (
        <div className="space-y-3">
            {kind === "picture" && (
                <PictureViewer
                    src={localLink(link)}
                    before={before}
                    alt={links.length > 1 ? text.picture_of(index + 1, links.length) : text.result}
                    name={file_name}
                    actions={actions?.(link)}
                    onFailure={() => void renew()}
                    renew={renew}
                />
            )}
            {(kind === "video" || kind === "audio") && <Media link={link} name={file_name} kind={kind} renew={renew} actions={actions?.(link)} />}
            {kind === "file" && <FileOrText link={link} name={file_name} renew={renew} />}
            {kind === "away" && <Away link={link} />}
            {links.length > 1 && <Thumbnails links={links} chosen={index} onChoose={setChosen} />}
        </div>
    );
}

/** Another host's file: the page loads nothing from there by itself. */
function Away({ link }: { link: string }) {
    const text = useMessages(runMessages);
    return (
        <p className="text-sm break-all">
            {text.away}{" "}
            <a href={link} target="_blank" rel="noreferrer noopener" className="underline underline-offset-4">
                {link}
            </a>
        </p>
    );
}

const TEXT_SHOWN_BYTES = 256 * 1024;
const DATA_URL_SHOWN = 60;

/** A file of no known ending: its text when it is a short text, and a way to download it. */
function FileOrText({ link, name, renew }: { link: string; name: string; renew: Renew }) {
    const [shown, setShown] = useState<string | null>(null);
    const failed = useRef(renew);
    failed.current = renew;
    useEffect(() => {
        const stop = new AbortController();
        setShown(null);
        if (!/\.(txt|json|csv|md|srt|vtt)$/i.test(nameOfLink(link))) return;
        bytesOf(link, stop.signal)
            .then(async (bytes) => setShown(bytes.size <= TEXT_SHOWN_BYTES ? await bytes.text() : null))
            .catch(() => stop.signal.aborted || void failed.current());
        return () => stop.abort();
    }, [link]);
    return (
        <div className="space-y-2">
            {shown !== null && <TextOutput text={shown} mono />}
            <FileLink link={link} name={name} renew={renew} />
        </div>
    );
}

/** JSON with the files in it cut short: they are shown already, and may be megabytes of letters. */
function shortJson(value: Json): string {
    return JSON.stringify(value, (_key, each: unknown) => (typeof each === "string" && each.startsWith("data:") && each.length > DATA_URL_SHOWN ? `${each.slice(0, DATA_URL_SHOWN)}…` : each), 2);
}

function TextOutput({ text, mono = false, shown = text }: { text: string; mono?: boolean; shown?: string }) {
    const words = useMessages(runMessages);
    return (
        <div className="relative rounded-lg border bg-card">
            <div className="absolute top-2 right-2">
                <CopyButton text={text} label={words.copy_text} />
            </div>
            <pre tabIndex={0} aria-label={words.text} className={cn("max-h-[70vh] overflow-auto p-4 pr-14 text-sm break-words whitespace-pre-wrap", mono ? "font-mono" : "font-sans text-base")}>
                {shown}
            </pre>
        </div>
    );
}

export function OutputView({ output: given, before, name = "mimeo", prediction, making, actions }: OutputViewProps) {
    const text = useMessages(runMessages);
    const { output, renew, gone } = useRenewed(given, prediction);
    const parts = useMemo(() => partsOf(output), [output]);
    const base = making?.seed !== undefined ? `${name}-${making.seed}` : name;
    if (parts.kind === "empty") return <p className="text-sm text-muted-foreground">{text.output_empty}</p>;
    if (parts.kind === "text") return <TextOutput text={parts.text} />;
    if (parts.kind === "json") return <TextOutput text={JSON.stringify(parts.value, null, 2)} mono />;
    return (
        <div className="space-y-3">
            {gone && <Alert tone="warning">{text.expired}</Alert>}
            <Files links={parts.links} before={before} name={base} onRenew={renew} actions={actions} />
            {parts.rest !== undefined && <TextOutput text={JSON.stringify(parts.rest, null, 2)} shown={shortJson(parts.rest)} mono />}
        </div>
    );
}
