// A picture into the clipboard: browsers take PNG only.

export function canCopyPictures(): boolean {
    return typeof ClipboardItem !== "undefined" && typeof navigator.clipboard?.write === "function";
}

/** Through a canvas: an <img> may load what the CSP lets no fetch have. */
async function asPng(link: string): Promise<Blob> {
    const image = new Image();
    image.src = link;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext("2d")?.drawImage(image, 0, 0);
    const png = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!png) throw new Error("This browser could not write a PNG.");
    return png;
}

/** The promise goes into the clipboard item itself: a browser that wants the click to be recent is content with that. */
export async function copyPicture(link: string): Promise<void> {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": asPng(link) })]);
}
