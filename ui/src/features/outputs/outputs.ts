// Outputs as files to keep: what each is called and where its bytes come from; small pictures of them for lists. Knows nothing of React.
import type { Json, Prediction } from "@/api/types";
import { bytesOf, canShow, kindOf, localLink } from "@/features/picture/links";
import { partsOf } from "@/features/run/output-parts";

/** The first pictures of an output, as the browser may show them. */
export function picturesOf(output: Json, most: number): string[] {
    const parts = partsOf(output);
    if (parts.kind !== "files") return [];
    const pictures = parts.links.filter((link) => kindOf(link) === "picture" && canShow(link));
    return pictures.slice(0, most).map(localLink);
}

const EXTENSIONS: Record<string, string> = {
    "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "image/avif": "avif", "image/svg+xml": "svg",
    "video/mp4": "mp4", "video/webm": "webm", "audio/mpeg": "mp3", "audio/wav": "wav", "audio/ogg": "ogg",
    "text/plain": "txt", "application/json": "json", "application/zip": "zip",
};

/** From the link's own name, else from what the server says it is. */
export function extensionOf(link: string, content_type: string | null): string {
    const named = link.startsWith("data:") ? null : /\.([a-z0-9]{1,8})$/i.exec(link.split(/[?#]/)[0]!)?.[1];
    return named?.toLowerCase() ?? EXTENSIONS[(content_type ?? "").split(";")[0]!.trim().toLowerCase()] ?? "bin";
}

/** What the files of a prediction begin with: model-id. */
export function outputStem(prediction: Pick<Prediction, "model" | "id">): string {
    return `${prediction.model.split("/").at(-1) || "output"}-${prediction.id}`;
}

/** stem-index.ext, without the index when there is only one. */
export function outputName(stem: string, index: number, count: number, extension: string): string {
    return `${stem}${count > 1 ? `-${index + 1}` : ""}.${extension}`;
}

/** The bytes of an output's file. Throws when it is another host's (the CSP forbids those) or gone. */
export async function fetchFile(link: string, signal?: AbortSignal): Promise<Blob> {
    if (!canShow(link)) throw new Error("The file is on another server.");
    return bytesOf(link, signal);
}

/** Everything that is kept of an output: its files by name, and text or JSON when there is more than files. */
export async function* contentsOf(prediction: Prediction, stem = outputStem(prediction), signal?: AbortSignal): AsyncGenerator<{ name: string; content: Blob }> {
    const parts = partsOf(prediction.output);
    if (parts.kind === "files")
        for (const [index, link] of parts.links.entries()) {
            const content = await fetchFile(link, signal);
            yield { name: outputName(stem, index, parts.links.length, extensionOf(link, content.type)), content };
        }
    const json = parts.kind === "json" ? parts.value : parts.kind === "files" ? parts.rest : undefined;
    if (json !== undefined) yield { name: outputName(stem, 0, 1, "json"), content: new Blob([JSON.stringify(json, null, 2)]) };
    if (parts.kind === "text") yield { name: outputName(stem, 0, 1, "txt"), content: new Blob([parts.text]) };
}
