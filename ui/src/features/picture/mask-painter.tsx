// Painting a mask over a picture: white where it should change. Import it lazily: import("@/features/picture/mask-painter").
import { Brush, Contrast, Eraser, Redo2, Trash2, Undo2, Upload } from "lucide-react";
import { useCallback, useEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { Alert, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Slider } from "@/components/ui/controls";
import { Tooltip } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { cn } from "@/lib/cn";
import { coverageOf, drawStep, drawStroke, exportMask, makeCanvas, paintOf } from "@/features/picture/mask-canvas";
import { EMPTY_HISTORY, nextBrushSize, pushStep, redoStep, undoStep, type MaskHistory, type MaskStep, type Stroke } from "@/features/picture/mask-history";
import { pictureMessages } from "@/features/picture/messages";
import { usePicture } from "@/features/picture/use-picture";

interface MaskPainterProps {
    picture: Blob | string;
    value: Blob | null;
    /** A PNG of the picture's size; null when nothing is painted. */
    onChange: (mask: Blob | null) => void;
}

const SIZE_MIN = 4;
const SIZE_MAX = 256;
const CURSOR_STEP_PX = 6;
const COVERED_LEAST = 0.00001;

async function imageOf(source: Blob): Promise<HTMLImageElement> {
    const link = URL.createObjectURL(source);
    try {
        const image = new Image();
        image.src = link;
        await image.decode();
        return image;
    } finally {
        URL.revokeObjectURL(link);
    }
}

/** The mask's canvas with its history; `commit` adds a step, draws it and hands the mask out. */
function useMask(size: { width: number; height: number } | null, value: Blob | null, onChange: (mask: Blob | null) => void) {
    const text = useMessages(pictureMessages);
    const canvas = useRef<HTMLCanvasElement>(null);
    const ground = useRef<HTMLCanvasElement | null>(null); // steps that can no longer be undone
    const history = useRef<MaskHistory>(EMPTY_HISTORY);
    const handed_out = useRef<Blob | null>(null);
    const ours = useRef(new WeakSet<Blob>()); // what comes back as the value and needs no loading
    const exports = useRef(0);
    const [shown, setShown] = useState({ can_undo: false, can_redo: false, covered: 0 });
    const latest = useRef(onChange);
    latest.current = onChange;

    const handOut = useCallback(async () => {
        if (!canvas.current) return;
        const covered = coverageOf(canvas.current);
        setShown({ can_undo: history.current.done.length > 0, can_redo: history.current.undone.length > 0, covered });
        const mine = ++exports.current;
        const mask = covered > COVERED_LEAST ? await exportMask(canvas.current) : null;
        if (mine !== exports.current) return; // a newer one is on its way
        handed_out.current = mask;
        if (mask) ours.current.add(mask);
        latest.current(mask);
    }, []);

    const redraw = useCallback(() => {
        if (!canvas.current) return;
        canvas.current.getContext("2d")?.clearRect(0, 0, canvas.current.width, canvas.current.height);
        if (ground.current) canvas.current.getContext("2d")?.drawImage(ground.current, 0, 0);
        for (const step of history.current.done) drawStep(canvas.current, step);
    }, []);

    const commit = useCallback(
        (step: MaskStep, drawn = false) => {
            if (!canvas.current) return;
            const { history: next, settled } = pushStep(history.current, step);
            history.current = next;
            for (const old of settled) drawStep((ground.current ??= makeCanvas(canvas.current.width, canvas.current.height)), old);
            if (!drawn) drawStep(canvas.current, step);
            void handOut();
        },
        [handOut],
    );
    const back = useCallback(() => {
        history.current = undoStep(history.current);
        redraw();
        void handOut();
    }, [redraw, handOut]);
    const forth = useCallback(() => {
        history.current = redoStep(history.current);
        redraw();
        void handOut();
    }, [redraw, handOut]);

    const load = useCallback(
        async (file: Blob) => {
            try {
                const image = await imageOf(file);
                if (canvas.current) commit({ kind: "picture", source: paintOf(image, canvas.current.width, canvas.current.height) });
            } catch {
                toast(text.mask_unreadable, "destructive");
            }
        },
        [commit, text],
    );

    // Another picture: a new mask, of the given value when there is one.
    useEffect(() => {
        if (!size || !canvas.current) return;
        canvas.current.width = size.width;
        canvas.current.height = size.height;
        history.current = EMPTY_HISTORY;
        ground.current = null;
        handed_out.current = null;
        setShown({ can_undo: false, can_redo: false, covered: 0 });
    }, [size?.width, size?.height, size]);
    useEffect(() => {
        if (!size || value === handed_out.current || (value && ours.current.has(value))) return;
        if (value) void load(value);
        else if (history.current.done.length > 0) commit({ kind: "clear" });
        handed_out.current = value;
    }, [value, size, load, commit]);

    return { canvas, shown, commit, back, forth, load };
}

function Tool({ label, onClick, children, pressed, disabled }: { label: string; onClick: () => void; children: ReactNode; pressed?: boolean; disabled?: boolean }) {
    return (
        <Tooltip content={label}>
            <Button variant={pressed ? "secondary" : "ghost"} size="icon" aria-label={label} aria-pressed={pressed} disabled={disabled} onClick={onClick}>
                {children}
            </Button>
        </Tooltip>
    );
}

export function MaskPainter({ picture, value, onChange }: MaskPainterProps) {
    const text = useMessages(pictureMessages);
    const { language } = useLanguage();
    const { src, missing } = usePicture(picture);
    const [loaded, setLoaded] = useState<{ src: string; width: number; height: number } | null>(null);
    const size = loaded && loaded.src === src ? loaded : null;
    const mask = useMask(size, value, onChange);
    const [erase, setErase] = useState(false);
    const [brush, setBrush] = useState(48);
    const [cursor, setCursor] = useState<{ x: number; y: number } | null>(null); // in CSS pixels on the canvas
    const [pen_down, setPenDown] = useState(false); // of the keyboard's brush
    const stroke = useRef<Stroke | null>(null);
    const file = useRef<HTMLInputElement>(null);

    const scaleOf = () => (mask.canvas.current && mask.canvas.current.clientWidth > 0 ? mask.canvas.current.width / mask.canvas.current.clientWidth : 1);
    const extend = (x: number, y: number) => {
        const scale = scaleOf();
        stroke.current ??= { kind: "stroke", erase, width: Math.max(1, brush * scale), points: [] };
        stroke.current.points.push({ x: x * scale, y: y * scale });
        if (mask.canvas.current) drawStroke(mask.canvas.current, stroke.current, stroke.current.points.length - 1);
    };
    const finish = () => {
        const finished = stroke.current;
        stroke.current = null;
        if (finished && finished.points.length > 0) mask.commit(finished, true);
    };
    const pointOf = (event: PointerEvent) => {
        const box = event.currentTarget.getBoundingClientRect();
        return { x: event.clientX - box.left, y: event.clientY - box.top };
    };

    const onPointerDown = (event: PointerEvent) => {
        if (event.button !== 0 || stroke.current) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setPenDown(false);
        const at = pointOf(event);
        setCursor(at);
        extend(at.x, at.y);
    };
    const onPointerMove = (event: PointerEvent) => {
        const at = pointOf(event);
        setCursor(at);
        if (!stroke.current || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
        const box = event.currentTarget.getBoundingClientRect();
        const between = event.nativeEvent.getCoalescedEvents?.() ?? [];
        for (const each of between.length > 0 ? between : [event.nativeEvent]) extend(each.clientX - box.left, each.clientY - box.top);
    };
    const onPointerUp = () => !pen_down && finish();

    const moveCursor = (x: number, y: number) => {
        const element = mask.canvas.current;
        if (!element) return;
        const old = cursor ?? { x: element.clientWidth / 2, y: element.clientHeight / 2 };
        const next = { x: Math.min(element.clientWidth, Math.max(0, old.x + x)), y: Math.min(element.clientHeight, Math.max(0, old.y + y)) };
        setCursor(next);
        if (pen_down) extend(next.x, next.y);
    };
    const togglePen = () => {
        if (pen_down) finish();
        else {
            const element = mask.canvas.current;
            const at = cursor ?? { x: (element?.clientWidth ?? 0) / 2, y: (element?.clientHeight ?? 0) / 2 };
            setCursor(at);
            extend(at.x, at.y);
        }
        setPenDown(!pen_down);
    };
    const chooseTool = (eraser: boolean) => {
        finish();
        setPenDown(false);
        setErase(eraser);
    };
    const onKeyDown = (event: KeyboardEvent) => {
        const control = event.ctrlKey || event.metaKey;
        const step = event.shiftKey ? CURSOR_STEP_PX * 5 : CURSOR_STEP_PX;
        const on_canvas = event.target === mask.canvas.current;
        const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
        const anywhere: Record<string, () => void> = control
            ? { z: event.shiftKey ? mask.forth : mask.back, y: mask.forth }
            : { "[": () => setBrush(nextBrushSize(brush, -1)), "]": () => setBrush(nextBrushSize(brush, 1)), b: () => chooseTool(false), e: () => chooseTool(true), i: () => mask.commit({ kind: "invert" }) };
        const here: Record<string, () => void> = control
            ? {}
            : { ArrowLeft: () => moveCursor(-step, 0), ArrowRight: () => moveCursor(step, 0), ArrowUp: () => moveCursor(0, -step), ArrowDown: () => moveCursor(0, step), " ": togglePen };
        const action = anywhere[key] ?? (on_canvas ? here[key] : undefined);
        if (!action || event.altKey) return;
        event.preventDefault();
        action();
    };

    if (missing) return <Alert tone="warning">{text.no_preview}</Alert>;
    return (
        <div role="group" aria-label={text.mask} className="space-y-2" onKeyDown={onKeyDown}>
            <p className="text-sm text-muted-foreground">{text.mask_help}</p>
            <div className="flex flex-wrap items-center gap-1">
                <Tool label={`${text.brush} (B)`} pressed={!erase} onClick={() => chooseTool(false)}>
                    <Brush />
                </Tool>
                <Tool label={`${text.eraser} (E)`} pressed={erase} onClick={() => chooseTool(true)}>
                    <Eraser />
                </Tool>
                <div className="flex items-center gap-2 px-2">
                    <Slider thumbLabels={[text.brush_size]} className="w-28" min={SIZE_MIN} max={SIZE_MAX} step={2} value={[brush]} onValueChange={([next]) => next !== undefined && setBrush(next)} />
                    <span className="w-8 text-xs text-muted-foreground tabular-nums">{brush}</span>
                </div>
                <Tool label={`${text.undo} (Ctrl+Z)`} disabled={!mask.shown.can_undo} onClick={mask.back}>
                    <Undo2 />
                </Tool>
                <Tool label={`${text.redo} (Ctrl+Y)`} disabled={!mask.shown.can_redo} onClick={mask.forth}>
                    <Redo2 />
                </Tool>
                <Tool label={`${text.invert} (I)`} onClick={() => mask.commit({ kind: "invert" })}>
                    <Contrast />
                </Tool>
                <Tool label={text.clear} disabled={mask.shown.covered <= COVERED_LEAST} onClick={() => mask.commit({ kind: "clear" })}>
                    <Trash2 />
                </Tool>
                <Tool label={text.upload_mask} onClick={() => file.current?.click()}>
                    <Upload />
                </Tool>
                <input
                    ref={file}
                    type="file"
                    accept="image/*"
                    hidden
                    data-file-input="mask"
                    onChange={(event) => {
                        const chosen = event.target.files?.[0];
                        if (chosen) void mask.load(chosen);
                        event.target.value = "";
                    }}
                />
                <span role="status" className="ml-auto text-xs text-muted-foreground tabular-nums">
                    {text.covered(mask.shown.covered.toLocaleString(language, { style: "percent", maximumFractionDigits: 0 }))}
                    <span className="sr-only">{pen_down ? `. ${text.pen_down}` : ""}</span>
                </span>
            </div>
            <div className="flex justify-center overflow-hidden rounded-lg border bg-muted has-[canvas:focus-visible]:outline-2 has-[canvas:focus-visible]:outline-offset-2 has-[canvas:focus-visible]:outline-ring">
                {!size && <Skeleton className="h-64 w-full" />}
                <div className={cn("relative w-fit", !size && "hidden")}>
                    {src && (
                        <img
                            src={src}
                            alt=""
                            draggable={false}
                            className="checkerboard block max-h-[65vh] max-w-full select-none"
                            onLoad={(event) => setLoaded({ src, width: event.currentTarget.naturalWidth, height: event.currentTarget.naturalHeight })}
                        />
                    )}
                    <canvas
                        ref={mask.canvas}
                        role="application"
                        aria-label={text.canvas}
                        tabIndex={0}
                        className="absolute inset-0 size-full cursor-none touch-none opacity-60 outline-none"
                        onPointerDown={onPointerDown}
                        onPointerMove={onPointerMove}
                        onPointerUp={onPointerUp}
                        onPointerCancel={onPointerUp}
                        onPointerLeave={() => !stroke.current && setCursor(null)}
                        onFocus={(event) => !cursor && event.currentTarget.matches(":focus-visible") && moveCursor(0, 0)}
                        onBlur={() => {
                            finish();
                            setPenDown(false);
                        }}
                    />
                    {cursor && (
                        <span
                            aria-hidden
                            className={cn("pointer-events-none absolute rounded-full border-2 border-white shadow-[0_0_0_1px_rgb(0_0_0/0.7),inset_0_0_0_1px_rgb(0_0_0/0.7)]", pen_down && "border-dashed")}
                            style={{ width: brush, height: brush, left: cursor.x - brush / 2, top: cursor.y - brush / 2 }}
                        />
                    )}
                </div>
            </div>
        </div>
    );
}
