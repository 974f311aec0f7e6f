// The hands on a stage: one finger or the mouse moves the picture, two fingers or Ctrl+wheel zoom it, so do the keys.
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type RefObject } from "react";
import { clampView, fitView, stageHeight, zoomView, type Size, type View } from "@/features/picture/view";

const STEP = 1.25; // of one zoom
const MOVE_PX = 48;

export interface Stage {
    ref: RefObject<HTMLDivElement | null>;
    height: number;
    view: View | null; // null until the picture's size is known
    fitted: boolean;
    fit: () => void;
    zoomTo: (scale: number) => void;
    zoomBy: (steps: number) => void;
    handlers: {
        onKeyDown: (event: KeyboardEvent) => void;
        onPointerDown: (event: PointerEvent) => void;
        onPointerMove: (event: PointerEvent) => void;
        onPointerUp: (event: PointerEvent) => void;
        onPointerCancel: (event: PointerEvent) => void;
    };
}

function useStageSize(ref: RefObject<HTMLDivElement | null>, picture: Size | null): Size {
    const [width, setWidth] = useState(0);
    const [window_height, setWindowHeight] = useState(window.innerHeight);
    useLayoutEffect(() => {
        const element = ref.current;
        if (!element) return;
        const measure = () => {
            setWidth(element.clientWidth);
            setWindowHeight(window.innerHeight);
        };
        measure();
        const observer = new ResizeObserver(measure);
        observer.observe(element);
        return () => observer.disconnect();
    }, [ref]);
    return { width, height: stageHeight(picture, width, window_height) };
}

export function useStage(picture: Size | null): Stage {
    const ref = useRef<HTMLDivElement>(null);
    const size = useStageSize(ref, picture);
    const [moved, setMoved] = useState<View | null>(null); // null: fitted
    const pointers = useRef(new Map<number, { x: number; y: number }>());
    const ready = picture !== null && size.width > 0;
    const view = !ready ? null : moved ? clampView(moved, picture, size) : fitView(picture, size);

    useEffect(() => setMoved(null), [picture?.width, picture?.height]);

    const change = useCallback(
        (make: (view: View, picture: Size, stage: Size) => View) => {
            if (picture && size.width > 0) setMoved((before) => make(before ?? fitView(picture, size), picture, size));
        },
        [picture, size.width, size.height],
    );
    const zoomAt = useCallback((make: (scale: number) => number, at?: { x: number; y: number }) => change((old, its, stage) => zoomView(old, make(old.scale), at ?? { x: stage.width / 2, y: stage.height / 2 }, its, stage)), [change]);
    const move = useCallback((x: number, y: number) => change((old, its, stage) => clampView({ ...old, x: old.x + x, y: old.y + y }, its, stage)), [change]);

    useEffect(() => {
        const element = ref.current;
        if (!element) return;
        const onWheel = (event: WheelEvent) => {
            if (!event.ctrlKey) return; // the page scrolls
            event.preventDefault();
            const box = element.getBoundingClientRect();
            zoomAt((scale) => scale * Math.exp(-event.deltaY / 300), { x: event.clientX - box.left, y: event.clientY - box.top });
        };
        element.addEventListener("wheel", onWheel, { passive: false });
        return () => element.removeEventListener("wheel", onWheel);
    }, [zoomAt]);

    const onKeyDown = (event: KeyboardEvent) => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
        const actions: Record<string, () => void> = {
            "+": () => zoomAt((scale) => scale * STEP),
            "=": () => zoomAt((scale) => scale * STEP),
            "-": () => zoomAt((scale) => scale / STEP),
            "0": () => setMoved(null),
            "1": () => zoomAt(() => 1),
            ArrowLeft: () => move(MOVE_PX, 0),
            ArrowRight: () => move(-MOVE_PX, 0),
            ArrowUp: () => move(0, MOVE_PX),
            ArrowDown: () => move(0, -MOVE_PX),
        };
        const action = actions[event.key];
        if (!action) return;
        event.preventDefault();
        action();
    };

    const onPointerDown = (event: PointerEvent) => {
        if (event.button !== 0) return;
        if (event.pointerType === "mouse") event.preventDefault(); // no dragging of the <img>
        (event.currentTarget as HTMLElement).focus({ preventScroll: true });
        event.currentTarget.setPointerCapture(event.pointerId);
        pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    };
    const onPointerMove = (event: PointerEvent) => {
        const before = pointers.current.get(event.pointerId);
        if (!before) return;
        const now = { x: event.clientX, y: event.clientY };
        const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
        pointers.current.set(event.pointerId, now);
        if (!other) return move(now.x - before.x, now.y - before.y);
        const box = event.currentTarget.getBoundingClientRect();
        const distance = (a: { x: number; y: number }) => Math.max(10, Math.hypot(a.x - other.x, a.y - other.y));
        zoomAt((scale) => (scale * distance(now)) / distance(before), { x: (now.x + other.x) / 2 - box.left, y: (now.y + other.y) / 2 - box.top });
    };
    const onPointerUp = (event: PointerEvent) => void pointers.current.delete(event.pointerId);

    return {
        ref,
        height: size.height,
        view,
        fitted: moved === null,
        fit: () => setMoved(null),
        zoomTo: (scale) => zoomAt(() => scale),
        zoomBy: (steps) => zoomAt((scale) => scale * STEP ** steps),
        handlers: { onKeyDown, onPointerDown, onPointerMove, onPointerUp, onPointerCancel: onPointerUp },
    };
}
