// Giving a file: dropped, pasted, chosen or by a link. Shows what was given. Nothing is sent from here.
import { FileIcon, ImageUp, Link2, RefreshCw, X } from "lucide-react";
import { useEffect, useId, useRef, useState, type ClipboardEvent, type DragEvent, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { useLanguage, useMessages } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatBytes } from "@/lib/format";
import { FILE_BYTES_MAX, kindOf, nameOfLink, uploadIdOf } from "@/features/picture/links";
import { pictureMessages } from "@/features/picture/messages";
import { usePicture } from "@/features/picture/use-picture";

export interface FileInputProps {
    /** Of the button that opens the file dialog: what a <Label htmlFor> points at. */
    id: string;
    value: File | string | null;
    onChange: (value: File | string | null) => void;
    accept?: string;
    /** The accessible name; it is not shown. */
    label: string;
    invalid?: boolean;
    describedBy?: string;
    /** One row, for forms with many fields. */
    compact?: boolean;
    disabled?: boolean;
    /** Shown under the invitation while nothing is given (large form only). */
    invitation?: ReactNode;
}

/** Does a file fit an accept list ("image/*", ".png,.jpg")? A type the browser does not know fits. */
export function fitsAccept(file: { name: string; type: string }, accept: string | undefined): boolean {
    const wanted = (accept ?? "").split(",").map((each) => each.trim().toLowerCase()).filter(Boolean);
    if (wanted.length === 0 || (!file.type && !wanted.every((each) => each.startsWith(".")))) return true;
    return wanted.some((each) => (each.startsWith(".") ? file.name.toLowerCase().endsWith(each) : each.endsWith("/*") ? file.type.startsWith(each.slice(0, -1)) : file.type === each));
}

/** The first file, else the first http link, of what was dropped or pasted. */
export function givenBy(data: DataTransfer | null): File | string | null {
    if (!data) return null;
    const file = data.files[0];
    if (file) return file;
    const text = (data.getData("text/uri-list") || data.getData("text/plain")).split("\n").find((line) => line.trim() && !line.startsWith("#"))?.trim() ?? "";
    return /^https?:\/\/\S+$/i.test(text) && URL.canParse(text) ? text : null;
}

function LinkForm({ onGive, onClose, disabled }: { onGive: (link: string) => void; onClose: () => void; disabled?: boolean }) {
    const text = useMessages(pictureMessages);
    const [link, setLink] = useState("");
    const [wrong, setWrong] = useState(false);
    const id = useId();
    const give = () => {
        const clean = link.trim();
        if (/^(https?:\/\/\S+|data:\S+)$/i.test(clean) && URL.canParse(clean)) onGive(clean);
        else setWrong(true);
    };
    return (
        <div className="w-full space-y-1 text-left">
            <div className="flex w-full gap-2">
                <Input
                    type="url"
                    autoFocus
                    aria-label={text.link}
                    aria-invalid={wrong || undefined}
                    aria-describedby={wrong ? id : undefined}
                    placeholder={text.link_hint}
                    value={link}
                    disabled={disabled}
                    onChange={(event) => {
                        setLink(event.target.value);
                        setWrong(false);
                    }}
                    onKeyDown={(event) => {
                        if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
                            event.preventDefault();
                            give();
                        }
                        if (event.key === "Escape") {
                            event.preventDefault();
                            onClose();
                        }
                    }}
                    onPaste={(event) => event.clipboardData.files.length === 0 && event.stopPropagation()}
                />
                <Button variant="secondary" onClick={give} disabled={disabled}>
                    {text.link_apply}
                </Button>
            </div>
            {wrong && (
                <p id={id} role="alert" className="text-sm text-destructive">
                    {text.link_wrong}
                </p>
            )}
        </div>
    );
}

/** What to call what was given; for a link its host and name. */
function nameOf(value: File | string, given: string): string {
    if (typeof value !== "string") return value.name;
    if (uploadIdOf(value)) return given; // its link's last part is an id
    const name = nameOfLink(value);
    return URL.canParse(value) && /^http/i.test(value) ? `${new URL(value).host}/…/${name}` : name || given;
}

function Given({ value, compact, onSize }: { value: File | string; compact: boolean; onSize?: (width: number, height: number) => void }) {
    const text = useMessages(pictureMessages);
    const [broken, setBroken] = useState<unknown>(null);
    const { src, missing } = usePicture(value);
    const picture = typeof value === "string" ? kindOf(value) === "picture" || uploadIdOf(value) !== null : value.type.startsWith("image/") || value.type === "";
    if (picture && src && broken !== value)
        return (
            <div className={cn("flex shrink-0 items-center justify-center overflow-hidden rounded-md bg-muted", compact ? "size-10" : "min-h-24")}>
                <img
                    src={src}
                    alt={text.given}
                    onError={() => setBroken(value)}
                    onLoad={(event) => onSize?.(event.currentTarget.naturalWidth, event.currentTarget.naturalHeight)}
                    className={cn("checkerboard max-w-full object-contain", compact ? "max-h-full" : "max-h-80")}
                />
            </div>
        );
    if (compact) return <FileIcon aria-hidden className="size-5 shrink-0 text-muted-foreground" />;
    return (
        <p className="flex min-h-24 items-center justify-center gap-3 p-4 text-center text-sm text-muted-foreground">
            <FileIcon aria-hidden className="size-6 shrink-0" />
            {broken === value && typeof value !== "string" && <span>{text.unseen}</span>}
            {missing && typeof value === "string" && <span>{uploadIdOf(value) ? text.gone : text.no_preview}</span>}
        </p>
    );
}

export function FileInput({ id, value, onChange, accept, label, invalid, describedBy, compact = false, disabled = false, invitation }: FileInputProps) {
    const text = useMessages(pictureMessages);
    const { language } = useLanguage();
    const input = useRef<HTMLInputElement>(null);
    const [over, setOver] = useState(false);
    const [asking_link, setAskingLink] = useState(false);
    const [problem, setProblem] = useState<string | null>(null);
    const [size, setSize] = useState<string | null>(null);
    const problem_id = useId();
    useEffect(() => setSize(null), [value]);

    const give = (given: File | string | null) => {
        if (!given || disabled) return;
        if (typeof given !== "string" && given.size === 0) return setProblem(text.empty);
        if (typeof given !== "string" && given.size > FILE_BYTES_MAX) return setProblem(text.too_large(formatBytes(FILE_BYTES_MAX, language)));
        if (typeof given !== "string" && !fitsAccept(given, accept)) return setProblem(text.wrong_kind);
        setProblem(null);
        setAskingLink(false);
        onChange(given);
    };
    const onDrop = (event: DragEvent) => {
        event.preventDefault();
        setOver(false);
        give(givenBy(event.dataTransfer));
    };
    const onPaste = (event: ClipboardEvent) => {
        const given = givenBy(event.clipboardData);
        if (!given) return;
        event.preventDefault();
        give(given);
    };
    const described = [describedBy, problem ? problem_id : null].filter(Boolean).join(" ") || undefined;
    const pictures = accept?.startsWith("image/") ?? false;
    const choose = (
        <Button id={id} variant={value || compact ? "outline" : "default"} size={compact || value ? "sm" : "default"} disabled={disabled} aria-describedby={described} aria-label={`${label}: ${value ? text.replace : text.choose}`} onClick={() => input.current?.click()}>
            {value ? <RefreshCw /> : <ImageUp />}
            {value ? text.replace : text.choose}
        </Button>
    );
    const use_link = (
        <Button variant={compact || value ? "ghost" : "outline"} size={compact || value ? "sm" : "default"} disabled={disabled} aria-expanded={asking_link} onClick={() => setAskingLink(!asking_link)}>
            <Link2 />
            {text.use_link}
        </Button>
    );
    const remove = (
        <Button variant="ghost" size="sm" disabled={disabled} aria-label={`${label}: ${text.remove}`} onClick={() => onChange(null)}>
            <X />
            {text.remove}
        </Button>
    );
    const about = value && (
        <p className={cn("min-w-0 truncate text-sm", compact && "flex-1 basis-32")} title={nameOf(value, text.given)}>
            {nameOf(value, text.given)}
            <span className="ml-2 text-muted-foreground">{[typeof value !== "string" ? formatBytes(value.size, language) : null, size].filter(Boolean).join(" · ")}</span>
        </p>
    );
    return (
        <div
            role="group"
            aria-label={label}
            data-invalid={invalid || undefined}
            className={cn("rounded-lg border transition-colors", !value && "border-dashed border-input", invalid && "border-destructive", over && "border-primary bg-accent", compact ? "p-2" : value ? "p-3" : "px-4 py-8 sm:py-12")}
            onDragOver={(event) => {
                event.preventDefault();
                setOver(!disabled);
            }}
            onDragLeave={(event) => !event.currentTarget.contains(event.relatedTarget as Node | null) && setOver(false)}
            onDrop={onDrop}
            onPaste={onPaste}
        >
            <input ref={input} type="file" accept={accept} hidden disabled={disabled} data-file-input={id} onChange={(event) => {
                give(event.target.files?.[0] ?? null);
                event.target.value = "";
            }} />
            {!value && !compact && (
                <div className="mx-auto flex max-w-md flex-col items-center gap-3 text-center">
                    <ImageUp aria-hidden className="size-9 text-primary" />
                    <p className="text-sm text-muted-foreground">{over ? text.drop_now : pictures ? text.drop_picture : text.drop_here}</p>
                    <div className="flex flex-wrap justify-center gap-2">
                        {choose}
                        {use_link}
                    </div>
                    {asking_link && <LinkForm onGive={give} onClose={() => setAskingLink(false)} disabled={disabled} />}
                    {invitation}
                </div>
            )}
            {!value && compact && (
                <div className="flex flex-wrap items-center gap-1">
                    {choose}
                    {use_link}
                    {asking_link && <LinkForm onGive={give} onClose={() => setAskingLink(false)} disabled={disabled} />}
                </div>
            )}
            {value && (
                <div className={cn(compact ? "flex flex-wrap items-center gap-2" : "space-y-3")}>
                    <Given value={value} compact={compact} onSize={(width, height) => setSize(text.size_of(width, height))} />
                    {about}
                    <div className="flex flex-wrap items-center gap-1">
                        {choose}
                        {remove}
                    </div>
                </div>
            )}
            {problem && (
                <p id={problem_id} role="alert" className="mt-2 text-center text-sm text-destructive">
                    {problem}
                </p>
            )}
        </div>
    );
}
