// Drawing masks. On the canvas, painted is opaque and the rest transparent, whatever the colour; the mask that is handed out is white
// (change) on black.
import type { MaskStep, Stroke } from "@/features/picture/mask-history";

export const MASK_COLOUR = "#e0218a";

export function makeCanvas(width: number, height: number): HTMLCanvasElement {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    return canvas;
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("This browser gave no canvas.");
    return context;
}

/** From its point number `from` on. */
export function drawStroke(canvas: HTMLCanvasElement, stroke: Stroke, from = 0): void {
    const context = contextOf(canvas);
    const points = stroke.points.slice(Math.max(0, from - 1));
    const first = points[0];
    if (!first) return;
    context.save();
    context.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
    context.strokeStyle = context.fillStyle = MASK_COLOUR;
    context.lineWidth = stroke.width;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    if (points.length === 1) {
        context.arc(first.x, first.y, stroke.width / 2, 0, 2 * Math.PI);
        context.fill();
    } else {
        context.moveTo(first.x, first.y);
        for (const point of points.slice(1)) context.lineTo(point.x, point.y);
        context.stroke();
    }
    context.restore();
}

/** A given mask as paint: what is light and opaque in it is painted. */
export function paintOf(source: CanvasImageSource, width: number, height: number): HTMLCanvasElement {
    const canvas = makeCanvas(width, height);
    const context = contextOf(canvas);
    context.drawImage(source, 0, 0, width, height);
    const pixels = context.getImageData(0, 0, width, height);
    const data = pixels.data;
    for (let at = 0; at < data.length; at += 4) {
        const light = (0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!) * (data[at + 3]! / 255);
        data[at] = 0xe0;
        data[at + 1] = 0x21;
        data[at + 2] = 0x8a;
        data[at + 3] = Math.round(light);
    }
    context.putImageData(pixels, 0, 0);
    return canvas;
}

export function drawStep(canvas: HTMLCanvasElement, step: MaskStep): void {
    const context = contextOf(canvas);
    if (step.kind === "stroke") return drawStroke(canvas, step);
    if (step.kind === "invert") {
        context.save();
        context.globalCompositeOperation = "source-out";
        context.fillStyle = MASK_COLOUR;
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.restore();
        return;
    }
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (step.kind === "picture") context.drawImage(step.source, 0, 0);
}

/** How much of it is painted: 0 to 1. Looks at a small copy. */
export function coverageOf(canvas: HTMLCanvasElement): number {
    const side = 64;
    const small = makeCanvas(side, side);
    const context = contextOf(small);
    context.drawImage(canvas, 0, 0, side, side);
    const data = context.getImageData(0, 0, side, side).data;
    let sum = 0;
    for (let at = 3; at < data.length; at += 4) sum += data[at]!;
    return sum / (255 * side * side);
}

/** White where painted, black elsewhere. */
export function exportMask(canvas: HTMLCanvasElement): Promise<File | null> {
    const white = makeCanvas(canvas.width, canvas.height);
    const paint = contextOf(white);
    paint.drawImage(canvas, 0, 0);
    paint.globalCompositeOperation = "source-in";
    paint.fillStyle = "#fff";
    paint.fillRect(0, 0, white.width, white.height);
    paint.globalCompositeOperation = "destination-over";
    paint.fillStyle = "#000";
    paint.fillRect(0, 0, white.width, white.height);
    return new Promise((resolve) => white.toBlob((blob) => resolve(blob && new File([blob], "mask.png", { type: "image/png" })), "image/png"));
}
