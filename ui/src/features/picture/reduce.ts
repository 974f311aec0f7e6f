// Making a big picture smaller before it is sent. Only when asked: nothing here runs by itself.

export const REDUCED_SIDE = 2048;

/** Width and height as it is shown (after its orientation); null when the browser cannot read it as a picture. */
export async function pictureSize(file: Blob): Promise<{ width: number; height: number } | null> {
    const link = URL.createObjectURL(file);
    try {
        const image = new Image();
        image.src = link;
        await image.decode();
        return image.naturalWidth > 0 ? { width: image.naturalWidth, height: image.naturalHeight } : null;
    } catch {
        return null;
    } finally {
        URL.revokeObjectURL(link);
    }
}

/** The size with the same proportions whose longer side is at most `max_side`. */
export function reducedSize(width: number, height: number, max_side: number): { width: number; height: number } {
    const factor = Math.min(1, max_side / Math.max(width, height));
    return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
}

function draw(source: CanvasImageSource, width: number, height: number): HTMLCanvasElement {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    if (!context) throw new Error("This browser gave no canvas.");
    context.fillStyle = "#fff"; // JPEG has no transparency
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, width, height);
    return canvas;
}

/** The picture as JPEG whose longer side is at most `max_side`; the file itself when it is not larger than that. Throws when it is no picture. */
export async function reducePicture(file: File, max_side = REDUCED_SIDE, quality = 0.85): Promise<File> {
    const bitmap = await createImageBitmap(file);
    try {
        if (Math.max(bitmap.width, bitmap.height) <= max_side) return file;
        const wanted = reducedSize(bitmap.width, bitmap.height, max_side);
        // By halves: canvases look at four pixels only, and a big step at once would alias.
        let source: CanvasImageSource = bitmap;
        let { width, height } = bitmap;
        while (width / 2 > wanted.width) {
            width = Math.round(width / 2);
            height = Math.round(height / 2);
            source = draw(source, width, height);
        }
        const canvas = draw(source, wanted.width, wanted.height);
        const jpeg = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
        if (!jpeg) throw new Error("This browser could not write the reduced picture.");
        return new File([jpeg], file.name.replace(/\.[^.]+$/, "") + ".jpg", { type: "image/jpeg" });
    } finally {
        bitmap.close();
    }
}
