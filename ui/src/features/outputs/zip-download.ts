// Outputs of several predictions as one zip archive, made in the browser. A lazy chunk: only who downloads loads it.
import { api } from "@/api/http";
import type { Prediction } from "@/api/types";
import { forMany, type ManyProgress } from "@/lib/many";
import { contentsOf } from "@/features/outputs/outputs";
import { saveBlob } from "@/lib/save";
import { ZipTooLargeError, ZipWriter } from "@/features/outputs/zip";

export { ZipTooLargeError };

const AT_ONCE = 3;

/** A prediction, and what its files are called when not model-id. */
export interface Wanted {
    id: string;
    stem?: string;
}

/** Asks each prediction anew, because links of outputs run out. Those whose output cannot be had are counted as failed; nothing is saved when
 * none has one. Throws ZipTooLargeError. */
export async function downloadOutputs(wanted: Wanted[], name: string, onProgress?: (progress: ManyProgress) => void, signal?: AbortSignal): Promise<ManyProgress & { errors: Error[]; files: number }> {
    const zip = new ZipWriter();
    const stop = new AbortController();
    const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const addOutputs = async ({ id, stem }: Wanted) => {
        const prediction = await api<Prediction>("GET", `/v1/predictions/${encodeURIComponent(id)}`, { signal: both });
        const modified_at = new Date(prediction.completed_at ?? prediction.created_at);
        for await (const { name, content } of contentsOf(prediction, stem, both)) {
            try {
                zip.add(name, new Uint8Array(await content.arrayBuffer()), modified_at);
            } catch (error) {
                if (error instanceof ZipTooLargeError) stop.abort(error);
                throw error;
            }
        }
    };
    const result = await forMany(wanted, AT_ONCE, addOutputs, onProgress, both);
    if (stop.signal.aborted) throw stop.signal.reason;
    if (zip.count > 0 && !signal?.aborted) saveBlob(zip.finish(), name);
    return { ...result, files: zip.count };
}
