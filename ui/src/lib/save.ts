// Hand a file to the browser's downloads.

const KEPT_MS = 60_000; // until then the browser has begun to read it

export function saveBlob(content: Blob, name: string): void {
    const url = URL.createObjectURL(content);
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

/** Of an archive made now: mimeo-2026-11-21-20-30-12.zip. */
export function archiveName(now = new Date()): string {
    return `mimeo-${now.toISOString().slice(0, 19).replace(/[:T]/g, "-")}.zip`;
}
