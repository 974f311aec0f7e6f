// A prediction's input as it was given: pictures shown, long texts folded, everything else as it is.
import { FileQuestion } from "lucide-react";
import { useState } from "react";
import type { Json } from "@/api/types";
import { Badge, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { useLanguage, useMessages } from "@/i18n";
import { formatBytes } from "@/lib/format";
import { isLink, kindOf, nameOfLink, uploadIdOf } from "@/features/picture/links";
import { usePicture } from "@/features/picture/use-picture";
import { REDACTED } from "@/features/outputs/redacted";
import { predictionMessages } from "@/features/predictions/messages";

const FOLDED_CHARACTERS = 400;
const MOST_CHARACTERS = 100_000; // shown of one value, unfolded

/** The first picture of an input: what an output is compared with. */
export function firstPicture(input: Record<string, Json>): string | null {
    for (const value of Object.values(input)) {
        const link = Array.isArray(value) ? value.find(isLink) : value;
        if (isLink(link) && (kindOf(link) === "picture" || uploadIdOf(link))) return link;
    }
    return null;
}

function LongText({ value, mono }: { value: string; mono?: boolean }) {
    const text = useMessages(predictionMessages);
    const [open, setOpen] = useState(false);
    const long = value.length > FOLDED_CHARACTERS;
    const shown = !long ? value : open ? value.slice(0, MOST_CHARACTERS) : `${value.slice(0, FOLDED_CHARACTERS)}…`;
    return (
        <>
            <div className={mono ? "font-mono text-[0.8125rem] [overflow-wrap:anywhere] whitespace-pre-wrap" : "[overflow-wrap:anywhere] whitespace-pre-wrap"}>{shown}</div>
            {long && (
                <Button variant="link" size="sm" className="-ml-3" aria-expanded={open} onClick={() => setOpen(!open)}>
                    {open ? text.show_less : text.show_all}
                </Button>
            )}
        </>
    );
}

function bytesOfDataUrl(link: string): number {
    const body = link.length - link.indexOf(",") - 1;
    return /;base64,/i.test(link.slice(0, 200)) ? Math.floor((body * 3) / 4) : body;
}

function LinkValue({ link, name }: { link: string; name: string }) {
    const text = useMessages(predictionMessages);
    const { language } = useLanguage();
    const embedded = link.startsWith("data:");
    const maybe_picture = kindOf(link) === "picture" || uploadIdOf(link) !== null;
    const picture = usePicture(maybe_picture ? link : null);
    const [broken, setBroken] = useState(false);
    return (
        <div className="space-y-1.5">
            {maybe_picture && !picture.missing && !broken && (picture.src ? <img src={picture.src} alt={text.picture_of(name)} onError={() => setBroken(true)} className="checkerboard max-h-56 max-w-full rounded-md border object-contain" /> : <Skeleton className="h-40 w-56 max-w-full" />)}
            <p className="flex min-w-0 items-center gap-1.5 text-xs text-muted-foreground">
                {broken && <FileQuestion aria-hidden className="size-4 shrink-0" />}
                {embedded ? (
                    text.embedded(formatBytes(bytesOfDataUrl(link), language))
                ) : uploadIdOf(link) ? (
                    <span className="truncate font-mono">{nameOfLink(link)}</span>
                ) : (
                    <a href={link} target="_blank" rel="noreferrer noopener" className="truncate text-primary underline underline-offset-2" title={link}>
                        {link}
                    </a>
                )}
            </p>
        </div>
    );
}

function Value({ value, name }: { value: Json; name: string }) {
    const text = useMessages(predictionMessages);
    if (value === REDACTED) return <Badge tone="outline">{text.secret}</Badge>;
    if (isLink(value)) return <LinkValue link={value} name={name} />;
    if (typeof value === "string") return value === "" ? <span className="text-muted-foreground">“”</span> : <LongText value={value} />;
    if (Array.isArray(value) && value.length > 0 && value.every(isLink))
        return (
            <div className="grid grid-cols-2 gap-3">
                {value.map((link, index) => (
                    <LinkValue key={index} link={link} name={`${name} ${index + 1}`} />
                ))}
            </div>
        );
    return <LongText mono value={typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : String(value)} />;
}

export function InputView({ input }: { input: Record<string, Json> }) {
    const text = useMessages(predictionMessages);
    const entries = Object.entries(input);
    if (entries.length === 0) return <p className="text-sm text-muted-foreground">{text.no_input}</p>;
    return (
        <dl className="space-y-3 text-sm">
            {entries.map(([name, value]) => (
                <div key={name}>
                    <dt className="mb-0.5 font-mono text-xs font-medium text-muted-foreground">{name}</dt>
                    <dd className="min-w-0">
                        <Value value={value} name={name} />
                    </dd>
                </div>
            ))}
        </dl>
    );
}
