// Links that stand in inputs and outputs: which of them this server has, what kind of file they are, what to call it. Downloads of
// uploaded files are here, too; uploading is run/prepare.ts.
import { send } from "@/api/http";
import { blobOfDataUrl } from "@/lib/data-url";

export type MediaKind = "picture" | "video" | "audio" | "file";

const KIND_OF_EXTENSION: Record<string, MediaKind> = {
    png: "picture", jpg: "picture", jpeg: "picture", webp: "picture", gif: "picture", avif: "picture", bmp: "picture", svg: "picture",
    mp4: "video", webm: "video", mov: "video", m4v: "video",
    mp3: "audio", wav: "audio", ogg: "audio", flac: "audio", m4a: "audio", opus: "audio",
};
const EXTENSION_OF_TYPE: Record<string, string> = {
    "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "image/avif": "avif", "image/bmp": "bmp", "image/svg+xml": "svg",
    "video/mp4": "mp4", "video/webm": "webm", "audio/mpeg": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/ogg": "ogg", "audio/flac": "flac",
    "text/plain": "txt", "application/json": "json", "application/zip": "zip",
};
export const FILE_BYTES_MAX = 100 * 1024 * 1024; // of one upload: the server's limit
const KEPT_MAX = 24; // uploads of this visit whose bytes are still at hand, for their previews

/** A text that is nothing but a link: http, https or data. */
export function isLink(text: unknown): text is string {
    return typeof text === "string" && (/^data:[^\s]*$/i.test(text) || (/^https?:\/\/[^\s]+$/i.test(text) && URL.canParse(text)));
}

/** The same file by this page's own origin, when the link is one of this server's (whatever name it was called by then); others as they are. */
export function localLink(link: string): string {
    if (!/^https?:/i.test(link)) return link;
    const url = new URL(link);
    const at = url.pathname.search(/\/(outputs|v1\/files)\//);
    return at < 0 ? link : url.pathname.slice(at) + url.search;
}

/** May an <img>, <video> or <audio> of this page load it? The CSP forbids other hosts. */
export function canShow(link: string): boolean {
    if (/^(data|blob):/i.test(link)) return true;
    const local = localLink(link);
    return local.startsWith("/outputs/") || (URL.canParse(local) && new URL(local).origin === window.location.origin);
}

/** The id in a link of POST /v1/files' answer; null for other links. */
export function uploadIdOf(link: string): string | null {
    if (!/^https?:/i.test(link) || !URL.canParse(link)) return null;
    return /\/v1\/files\/([\w-]+)$/.exec(new URL(link).pathname)?.[1] ?? null;
}

function extensionOf(link: string): string {
    if (/^data:/i.test(link)) return EXTENSION_OF_TYPE[/^data:([^;,]*)/i.exec(link)?.[1]?.toLowerCase() ?? ""] ?? "";
    const path = URL.canParse(link) ? new URL(link).pathname : link.split(/[?#]/)[0]!;
    return /\.([a-z0-9]{1,5})$/i.exec(path)?.[1]?.toLowerCase() ?? "";
}

export function kindOf(link: string): MediaKind {
    const type = /^data:(image|video|audio)\//i.exec(link)?.[1]?.toLowerCase();
    if (type) return type === "image" ? "picture" : (type as MediaKind);
    return KIND_OF_EXTENSION[extensionOf(link)] ?? "file";
}

/** The last part of a link's path, readable; "" for data: and blob: links. */
export function nameOfLink(link: string): string {
    if (!/^https?:|^\//i.test(link)) return "";
    const part = new URL(link, window.location.origin).pathname.split("/").pop() ?? "";
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** A file name that every system takes: what stands for (`base`), and the kind of the link. */
export function fileNameFor(link: string, base: string, number?: number): string {
    const clean = base.replace(/\.[a-z0-9]{1,5}$/i, "").replace(/[\\/:*?"<>|\s\u0000-\u001f]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 80) || "mimeo";
    const extension = extensionOf(link);
    return clean + (number === undefined ? "" : `-${number}`) + (extension ? `.${extension}` : "");
}

// The bytes of this visit's uploads, by their link: the newest few.
const kept = new Map<string, Blob>();

export function keepUpload(link: string, file: Blob): void {
    kept.delete(link);
    kept.set(link, file);
    for (const oldest of kept.keys()) {
        if (kept.size <= KEPT_MAX) break;
        kept.delete(oldest);
    }
}

/** The bytes behind a link that this page may read: an upload (its record's link is JSON, so through its download), an output, a data URL. Throws what `send` throws. */
export async function bytesOf(link: string, signal?: AbortSignal): Promise<Blob> {
    const known = kept.get(link);
    if (known) return known;
    if (/^data:/i.test(link)) return blobOfDataUrl(link);
    const upload = uploadIdOf(link);
    if (upload) return (await send("GET", `/v1/files/${upload}/download`, { headers: { Accept: "*/*" }, signal })).blob();
    const response = await fetch(localLink(link), { credentials: "omit", signal });
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
    return response.blob();
}
