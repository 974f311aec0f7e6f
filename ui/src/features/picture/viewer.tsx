// Looking at a picture: zoom, fit, 100 %, the picture before beside it under a divider, what lies under transparency, download, copy.
import { Copy, Download, Maximize, ZoomIn, ZoomOut } from "lucide-react";
import { useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode, type RefObject } from "react";
import { Alert, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { cn } from "@/lib/cn";
import { canCopyPictures, copyPicture } from "@/features/picture/copy-picture";
import { fileNameFor } from "@/features/picture/links";
import { pictureMessages } from "@/features/picture/messages";
import { SaveLink } from "@/features/picture/save-link";
import { useStage, type Stage } from "@/features/picture/stage";
import type { Size, View } from "@/features/picture/view";

interface PictureViewerProps {
    src: string;
    /** The picture it was made from, shown left of a divider. Stretched to the size of `src`. */
    before?: string;
    alt: string;
    /** What a download is called. */
    name?: string;
    actions?: ReactNode;
    /** The picture did not load (an expired link, say). */
    onFailure?: () => void;
    /** A fresh link in place of an expired one; null when there is none. */
    renew?: () => Promise<string | null>;
}

const GROUNDS = ["checkerboard", "white", "black"] as const;
type Ground = (typeof GROUNDS)[number];
const GROUND_CLASS: Record<Ground, string> = { checkerboard: "checkerboard", white: "bg-white", black: "bg-black" };
const SMOOTH_UP_TO = 4; // beyond that one wants to see the pixels

function placed(view: View, picture: Size) {
    return { width: picture.width * view.scale, height: picture.height * view.scale, transform: `translate(${view.x}px, ${view.y}px)`, imageRendering: view.scale > SMOOTH_UP_TO ? ("pixelated" as const) : ("auto" as const) };
}

function ToolButton({ label, onClick, children, pressed }: { label: string; onClick: () => void; children: ReactNode; pressed?: boolean }) {
    return (
        <Tooltip content={label}>
            <Button variant="ghost" size="icon-sm" aria-label={label} aria-pressed={pressed} onClick={onClick}>
                {children}
            </Button>
        </Tooltip>
    );
}

/** The border between before and after: dragged, or moved by arrow keys. */
function Divider({ split, onSplit, stage }: { split: number; onSplit: (split: number) => void; stage: RefObject<HTMLDivElement | null> }) {
    const text = useMessages(pictureMessages);
    const dragged = useRef(false);
    const follow = (event: PointerEvent) => {
        const box = stage.current?.getBoundingClientRect();
        if (box && box.width > 0) onSplit(Math.min(100, Math.max(0, ((event.clientX - box.left) / box.width) * 100)));
    };
    const onKeyDown = (event: KeyboardEvent) => {
        const step = event.shiftKey ? 10 : 2;
        const next = { ArrowLeft: split - step, ArrowDown: split - step, ArrowRight: split + step, ArrowUp: split + step, Home: 0, End: 100, PageUp: split + 10, PageDown: split - 10 }[event.key];
        if (next === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        onSplit(Math.min(100, Math.max(0, next)));
    };
    return (
        <div
            role="slider"
            tabIndex={0}
            aria-label={text.divider}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round(split)}
            aria-valuetext={`${text.before} ${Math.round(split)} %`}
            className="absolute inset-y-0 z-10 w-9 -translate-x-1/2 cursor-ew-resize touch-none outline-none focus-visible:[&>span]:outline-3 focus-visible:[&>span]:outline-ring"
            style={{ left: `${split}%` }}
            onKeyDown={onKeyDown}
            onPointerDown={(event) => {
                event.stopPropagation();
                event.currentTarget.setPointerCapture(event.pointerId);
                dragged.current = true;
                follow(event);
            }}
            onPointerMove={(event) => {
                if (!dragged.current) return;
                event.stopPropagation();
                follow(event);
            }}
            onPointerUp={() => (dragged.current = false)}
            onPointerCancel={() => (dragged.current = false)}
        >
            <span aria-hidden className="absolute inset-y-0 left-1/2 w-0.5 -translate-x-1/2 bg-white shadow-[0_0_0_1px_rgb(0_0_0/0.4)]" />
            <span aria-hidden className="absolute top-1/2 left-1/2 flex size-9 -translate-x-1/2 -translate-y-1/2 items-center justify-center rounded-full border border-black/40 bg-white text-sm text-black shadow-md">
                ⇔
            </span>
        </div>
    );
}

function SideLabel({ side, children }: { side: "left" | "right"; children: ReactNode }) {
    return <span className={cn("pointer-events-none absolute top-2 rounded bg-black/65 px-2 py-0.5 text-xs font-medium text-white", side === "left" ? "left-2" : "right-2")}>{children}</span>;
}

/** The stage itself: two layers that lie alike, the upper one cut at the divider. */
function Pictures({ src, before, alt, stage, picture, onSize, onFailure, ground, broken }: { src: string; before?: string; alt: string; stage: Stage; picture: Size | null; onSize: (size: Size) => void; onFailure: () => void; ground: Ground; broken: boolean }) {
    const text = useMessages(pictureMessages);
    const [split, setSplit] = useState(50);
    const [before_broken, setBeforeBroken] = useState<string | null>(null);
    const { view } = stage;
    const style = view && picture ? placed(view, picture) : { width: 0, height: 0 };
    const compared = before !== undefined && before_broken !== before;
    return (
        <div
            ref={stage.ref}
            role="group"
            aria-label={text.stage}
            tabIndex={0}
            className={cn("relative touch-pan-y overflow-hidden rounded-lg border bg-muted select-none", !stage.fitted && "cursor-grab touch-none active:cursor-grabbing")}
            style={{ height: stage.height }}
            {...stage.handlers}
        >
            {!view && !broken && <Skeleton className="absolute inset-0" />}
            {view && <div aria-hidden className={cn("absolute top-0 left-0", GROUND_CLASS[ground])} style={{ width: style.width, height: style.height, transform: `translate(${view.x}px, ${view.y}px)` }} />}
            <img
                src={src}
                alt={alt}
                draggable={false}
                className="absolute top-0 left-0 max-w-none"
                style={style}
                onLoad={(event) => onSize({ width: event.currentTarget.naturalWidth || 300, height: event.currentTarget.naturalHeight || 300 })}
                onError={onFailure}
            />
            {compared && view && (
                <>
                    <div className="absolute inset-0 overflow-hidden" style={{ clipPath: `inset(0 ${100 - split}% 0 0)` }}>
                        <div aria-hidden className={cn("absolute top-0 left-0", GROUND_CLASS[ground])} style={{ width: style.width, height: style.height, transform: `translate(${view.x}px, ${view.y}px)` }} />
                        <img src={before} alt={text.before} draggable={false} className="absolute top-0 left-0 max-w-none" style={style} onError={() => setBeforeBroken(before)} />
                    </div>
                    <SideLabel side="left">{text.before}</SideLabel>
                    <SideLabel side="right">{text.after}</SideLabel>
                    <Divider split={split} onSplit={setSplit} stage={stage.ref} />
                </>
            )}
            {broken && (
                <Alert tone="warning" className="absolute inset-x-4 top-4 bg-card">
                    {text.not_shown}
                </Alert>
            )}
        </div>
    );
}

function Toolbar({ src, name, stage, picture, ground, onGround, actions, renew }: { src: string; name: string; stage: Stage; picture: Size | null; ground: Ground; onGround: (ground: Ground) => void; actions?: ReactNode; renew?: () => Promise<string | null> }) {
    const text = useMessages(pictureMessages);
    const common = useMessages(commonMessages);
    const { language } = useLanguage();
    const percent = stage.view ? Math.round(stage.view.scale * 100).toLocaleString(language) : "–";
    const copy = () => copyPicture(src).then(() => toast(text.picture_copied), () => toast(common.copy_failed, "destructive"));
    const next_ground = GROUNDS[(GROUNDS.indexOf(ground) + 1) % GROUNDS.length]!;
    return (
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
            <div className="flex flex-wrap items-center gap-0.5">
                <ToolButton label={text.zoom_out} onClick={() => stage.zoomBy(-1)}>
                    <ZoomOut />
                </ToolButton>
                <span className="w-14 text-center text-xs text-muted-foreground tabular-nums">{percent} %</span>
                <ToolButton label={text.zoom_in} onClick={() => stage.zoomBy(1)}>
                    <ZoomIn />
                </ToolButton>
                <Button variant="ghost" size="sm" aria-pressed={stage.fitted} onClick={stage.fit}>
                    <Maximize />
                    {text.fit}
                </Button>
                <Button variant="ghost" size="sm" aria-pressed={stage.view?.scale === 1} onClick={() => stage.zoomTo(1)}>
                    {text.actual}
                </Button>
                <ToolButton label={`${text.background}: ${text[ground]}`} onClick={() => onGround(next_ground)}>
                    <span aria-hidden className={cn("size-4 rounded-sm border border-input", GROUND_CLASS[ground])} />
                </ToolButton>
            </div>
            {picture && <span className="text-xs text-muted-foreground tabular-nums">{text.size_of(picture.width, picture.height)}</span>}
            <div className="ml-auto flex flex-wrap items-center gap-2">
                {actions}
                {canCopyPictures() && (
                    <ToolButton label={text.copy_picture} onClick={() => void copy()}>
                        <Copy />
                    </ToolButton>
                )}
                <Button asChild size="sm">
                    <SaveLink href={src} name={name} renew={renew}>
                        <Download />
                        {common.download}
                    </SaveLink>
                </Button>
            </div>
        </div>
    );
}

export function PictureViewer({ src, before, alt, name, actions, onFailure, renew }: PictureViewerProps) {
    const [picture, setPicture] = useState<Size | null>(null);
    const [broken, setBroken] = useState<string | null>(null);
    const [ground, setGround] = useState<Ground>("checkerboard");
    const stage = useStage(picture);
    const onSize = (size: Size) => setPicture((old) => (old && old.width === size.width && old.height === size.height ? old : size));
    const fail = () => {
        setBroken(src);
        onFailure?.();
    };
    return (
        <figure className="space-y-2">
            <Pictures src={src} before={before} alt={alt} stage={stage} picture={picture} onSize={onSize} onFailure={fail} ground={ground} broken={broken === src} />
            <Toolbar src={src} name={name ?? fileNameFor(src, alt)} stage={stage} picture={picture} ground={ground} onGround={setGround} actions={actions} renew={renew} />
        </figure>
    );
}
