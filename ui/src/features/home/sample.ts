// A picture to try a tab with, drawn when it is asked for: a plant in a red pot on a table. Nothing is loaded for it.
import type { TabName } from "@/features/home/tabs";

const WIDTH = 640;
const HEIGHT = 480;
const SMALL = 0.35; // for upscaling, so that there is something to gain and little to wait for

function shade(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number, ...colours: string[]): CanvasGradient {
    const gradient = context.createLinearGradient(x0, y0, x1, y1);
    colours.forEach((colour, index) => gradient.addColorStop(index / (colours.length - 1), colour));
    return gradient;
}

function drawRoom(context: CanvasRenderingContext2D): void {
    context.fillStyle = shade(context, 0, 0, WIDTH, 330, "#e9e2d6", "#cfc4b3");
    context.fillRect(0, 0, WIDTH, HEIGHT);
    context.fillStyle = shade(context, 0, 330, 0, HEIGHT, "#a9794f", "#7c5434");
    context.fillRect(0, 330, WIDTH, 150);
    context.strokeStyle = "rgba(60, 35, 15, 0.35)";
    for (let line = 0; line < 7; line++) {
        context.beginPath();
        context.moveTo(0, 338 + line * line * 3.2);
        context.bezierCurveTo(200, 332 + line * line * 3.2, 420, 346 + line * line * 3.2, WIDTH, 336 + line * line * 3.3);
        context.stroke();
    }
}

function drawMug(context: CanvasRenderingContext2D): void {
    const shadow = context.createRadialGradient(350, 408, 20, 350, 408, 170);
    shadow.addColorStop(0, "rgba(25, 12, 4, 0.6)");
    shadow.addColorStop(1, "rgba(25, 12, 4, 0)");
    context.fillStyle = shadow;
    context.save();
    context.translate(0, 300);
    context.scale(1, 0.27);
    context.fillRect(150, 200, 420, 420);
    context.restore();
    context.lineWidth = 24;
    context.strokeStyle = shade(context, 390, 240, 470, 360, "#c74a3a", "#7d1f1a");
    context.beginPath();
    context.ellipse(404, 310, 54, 50, 0, -Math.PI / 2, Math.PI / 2);
    context.stroke();
    context.fillStyle = shade(context, 225, 0, 410, 0, "#8f241d", "#e2604c", "#d34c3b", "#7d1f1a");
    context.beginPath();
    context.moveTo(225, 230);
    context.lineTo(238, 392);
    context.ellipse(318, 392, 80, 24, 0, Math.PI, 0, true);
    context.lineTo(411, 230);
    context.fill();
    context.fillStyle = shade(context, 225, 205, 411, 255, "#f08a76", "#a02c22");
    context.beginPath();
    context.ellipse(318, 230, 93, 28, 0, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = "#3a130d";
    context.beginPath();
    context.ellipse(318, 232, 80, 21, 0, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = "rgba(255, 255, 255, 0.28)";
    context.beginPath();
    context.ellipse(266, 312, 10, 58, 0.06, 0, 2 * Math.PI);
    context.fill();
}

/** A long leaf from the mug's rim to its tip, bent by `bend`, with a light middle and pale edges. */
function drawLeaf(context: CanvasRenderingContext2D, root: number, tip_x: number, tip_y: number, width: number, bend: number): void {
    const middle_x = (root + tip_x) / 2 + bend;
    const middle_y = (240 + tip_y) / 2;
    const outline = (half: number) => {
        context.beginPath();
        context.moveTo(root - half * 0.6, 246);
        context.quadraticCurveTo(middle_x - half * 1.5, middle_y, tip_x, tip_y);
        context.quadraticCurveTo(middle_x + half * 1.5, middle_y, root + half * 0.6, 246);
        context.fill();
    };
    context.fillStyle = "#c9cf6a";
    outline(width);
    context.fillStyle = shade(context, middle_x - width, 0, middle_x + width, 0, "#1f4d26", "#3f8a3c", "#1c4a25");
    outline(width * 0.78);
    context.strokeStyle = "rgba(10, 40, 16, 0.45)";
    context.lineWidth = 3;
    for (let band = 1; band < 6; band++) {
        const part = band / 6.5;
        const x = root * (1 - part) * (1 - part) + 2 * middle_x * part * (1 - part) + tip_x * part * part;
        const y = 246 * (1 - part) * (1 - part) + 2 * middle_y * part * (1 - part) + tip_y * part * part;
        const half = width * 0.5 * (1 - part * part);
        context.beginPath();
        context.moveTo(x - half, y + 4);
        context.quadraticCurveTo(x, y - 8, x + half, y + 4);
        context.stroke();
    }
}

function drawPlant(context: CanvasRenderingContext2D): void {
    drawLeaf(context, 296, 190, 96, 40, -10);
    drawLeaf(context, 344, 452, 84, 40, 12);
    drawLeaf(context, 304, 266, 26, 44, -8);
    drawLeaf(context, 336, 384, 34, 44, 8);
    drawLeaf(context, 320, 326, 12, 50, 0);
    // The near rim stands before the leaves.
    context.fillStyle = "#3a130d";
    context.beginPath();
    context.ellipse(318, 234, 80, 19, 0, 0, Math.PI);
    context.fill();
}

/** A little unevenness, as a camera has it: flat areas look drawn to the models. The same each time. */
function addGrain(context: CanvasRenderingContext2D): void {
    const pixels = context.getImageData(0, 0, WIDTH, HEIGHT);
    let state = 20261;
    for (let at = 0; at < pixels.data.length; at += 4) {
        state = (state * 1103515245 + 12345) & 0x7fffffff;
        const grain = ((state >> 16) % 13) - 6;
        for (let channel = 0; channel < 3; channel++) pixels.data[at + channel] = pixels.data[at + channel]! + grain;
    }
    context.putImageData(pixels, 0, 0);
}

export async function samplePicture(tab: TabName): Promise<File> {
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    const context = canvas.getContext("2d");
    if (!context) throw new Error("This browser gave no canvas.");
    drawRoom(context);
    drawMug(context);
    drawPlant(context);
    addGrain(context);
    const factor = tab === "upscale" || tab === "enhance" ? SMALL : 1;
    const sent = document.createElement("canvas");
    sent.width = Math.round(WIDTH * factor);
    sent.height = Math.round(HEIGHT * factor);
    const sent_context = sent.getContext("2d")!;
    sent_context.imageSmoothingQuality = "high";
    if (tab === "colorize") sent_context.filter = "grayscale(1)";
    sent_context.drawImage(canvas, 0, 0, sent.width, sent.height);
    const blob = await new Promise<Blob | null>((resolve) => sent.toBlob(resolve, "image/jpeg", 0.92));
    if (!blob) throw new Error("This browser could not write the sample.");
    return new File([blob], "plant.jpg", { type: "image/jpeg" });
}
