// Files of an input on their way to the server: small ones travel in the request as data URLs, others are uploaded first.
import { ApiError, OfflineError } from "@/api/http";
import { currentToken, endSession } from "@/api/session";
import type { Json, StoredFile } from "@/api/types";
import { dataUrlOf } from "@/lib/data-url";
import { keepUpload } from "@/features/picture/links";

/** A form's values: what is not given is not there. Lists may mix links and files. */
export type InputValues = Record<string, Json | File | (Json | File)[]>;

export const INLINE_BYTES_MAX = 256 * 1024; // up to this a file goes into the request itself, as Replicate's clients do
const REUSE_MARGIN_MS = 3600_000; // an upload that expires sooner than this is not used again
const ATTEMPTS = 8; // of one upload while the server cannot be reached
const ATTEMPT_PAUSE_MS = 1500;

type Progress = (done_bytes: number, total_bytes: number) => void;

// Uploads of this visit: the same picture in a second run is not sent again.
const uploaded = new WeakMap<File, StoredFile>();

export function isFile(value: unknown): value is File {
    return value instanceof File;
}

function filesOf(values: InputValues): File[] {
    return Object.values(values).flatMap((value) => (Array.isArray(value) ? (value as unknown[]).filter(isFile) : isFile(value) ? [value] : []));
}

function errorOf(status: number, answer: string, retry_after: number): ApiError {
    let message = `${status}`;
    try {
        const body = JSON.parse(answer) as { detail?: unknown; title?: unknown };
        const said = body.detail ?? body.title;
        if (typeof said === "string") message = said;
    } catch {
        // not JSON: the number has to do
    }
    return new ApiError(status, message, {}, retry_after > 0 ? retry_after : null);
}

/** One upload. XMLHttpRequest, for fetch does not tell how far it is. */
function send(file: File, onSent: (bytes: number) => void, signal?: AbortSignal): Promise<StoredFile> {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        const token = currentToken();
        const form = new FormData();
        const abort = () => request.abort();
        form.append("content", file, file.name || "input");
        request.open("POST", "/v1/files");
        request.setRequestHeader("Accept", "application/json");
        if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
        request.upload.onprogress = (event) => onSent(Math.min(event.loaded, file.size));
        request.onload = () => {
            if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText) as StoredFile);
            else {
                if (request.status === 401 && token === currentToken()) endSession("expired");
                reject(errorOf(request.status, request.responseText, Number(request.getResponseHeader("Retry-After"))));
            }
        };
        request.onerror = () => reject(new OfflineError());
        request.onabort = () => reject(signal?.reason ?? new DOMException("Aborted", "AbortError"));
        request.onloadend = () => signal?.removeEventListener("abort", abort);
        signal?.addEventListener("abort", abort);
        request.send(form);
    });
}

/** A pause that ends early, with the signal's reason, when it is aborted. */
export function pause(time_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const stop = () => {
            clearTimeout(timer);
            reject(signal!.reason);
        };
        const timer = setTimeout(() => {
            signal?.removeEventListener("abort", stop);
            resolve();
        }, time_ms);
        signal?.addEventListener("abort", stop, { once: true });
    });
}

/** Told when an attempt has to wait, and with null when it goes on. */
export type OnWait = (wait: { until_ms: number; throttled: boolean } | null) => void;

/** Again while the server cannot be reached or asks to wait; everything else at once. */
export async function withPatience<T>(attempt: () => Promise<T>, signal?: AbortSignal, onWait?: OnWait): Promise<T> {
    for (let failures = 0; ; failures++) {
        try {
            return await attempt();
        } catch (error) {
            const throttled = error instanceof ApiError && error.status === 429;
            const worth = error instanceof OfflineError || throttled || (error instanceof ApiError && error.status === 503);
            if (!worth || failures >= ATTEMPTS || signal?.aborted) throw error;
            const asked_s = error instanceof ApiError ? error.retryAfterSeconds : null;
            if (asked_s !== null && asked_s > 60) throw error; // a daily limit: say so instead of waiting
            const wait_ms = asked_s ? asked_s * 1000 : ATTEMPT_PAUSE_MS;
            onWait?.({ until_ms: Date.now() + wait_ms, throttled });
            await pause(wait_ms, signal);
            onWait?.(null);
        }
    }
}

async function linkOf(file: File, onSent: (bytes: number) => void, signal?: AbortSignal, onWait?: OnWait): Promise<string> {
    const before = uploaded.get(file);
    if (before && Date.parse(before.expires_at) - Date.now() > REUSE_MARGIN_MS) {
        onSent(file.size);
        return before.urls.get;
    }
    const stored = await withPatience(() => send(file, onSent, signal), signal, onWait);
    uploaded.set(file, stored);
    keepUpload(stored.urls.get, file);
    return stored.urls.get;
}

/** The input as JSON. Uploads what is a file; onProgress counts the bytes of all of them. Throws ApiError, OfflineError, or the signal's reason. */
export async function prepareInput(values: InputValues, onProgress?: Progress, signal?: AbortSignal, onWait?: OnWait): Promise<Record<string, Json>> {
    const total = filesOf(values).reduce((sum, file) => sum + file.size, 0);
    let done = 0;
    onProgress?.(0, total);
    const textOf = async (file: File): Promise<string> => {
        signal?.throwIfAborted();
        const text = file.size < INLINE_BYTES_MAX ? await dataUrlOf(file) : await linkOf(file, (bytes) => onProgress?.(done + bytes, total), signal, onWait);
        done += file.size;
        onProgress?.(done, total);
        return text;
    };
    const input: Record<string, Json> = {};
    for (const [name, value] of Object.entries(values)) {
        if (isFile(value)) input[name] = await textOf(value);
        else if (Array.isArray(value)) {
            const items: Json[] = [];
            for (const item of value as (Json | File)[]) items.push(isFile(item) ? await textOf(item) : item);
            input[name] = items;
        } else input[name] = value;
    }
    return input;
}

/** After a refusal: what was uploaded before may be gone from the server. */
export function forgetUploads(values: InputValues): void {
    for (const file of filesOf(values)) uploaded.delete(file);
}
