// Calls of the server: the token, JSON in and out, errors as ApiError. Nothing here knows a route.
import { currentToken, endSession } from "@/api/session";

export class ApiError extends Error {
    constructor(
        readonly status: number,
        message: string,
        /** Messages of a 422, by the input they are about. */
        readonly fields: Record<string, string> = {},
        readonly retryAfterSeconds: number | null = null,
    ) {
        super(message);
        this.name = "ApiError";
    }
}

/** The server could not be reached at all. */
export class OfflineError extends Error {
    constructor() {
        super("The server does not answer.");
        this.name = "OfflineError";
    }
}

export interface CallOptions {
    body?: unknown; // sent as JSON; a FormData or Blob goes as it is
    query?: Record<string, string | number | boolean | null | undefined>;
    headers?: Record<string, string>;
    signal?: AbortSignal;
}

function urlOf(path: string, query: CallOptions["query"]): string {
    const parts = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
    if (parts.length === 0) return path;
    return `${path}?${new URLSearchParams(parts.map(([name, value]) => [name, String(value)]))}`;
}

/** "- input.scale: must be at most 10" and the like, by input: the last part of the path that stands before the colon. */
export function fieldsOfDetail(detail: string): Record<string, string> {
    const fields: Record<string, string> = {};
    for (const line of detail.split("\n")) {
        const match = /^-?\s*input\.?([^:\s]*):\s*(.+)$/.exec(line.trim());
        if (match?.[1] && match[2]) fields[match[1]] = match[2];
        else if (match?.[2]) {
            const missing = /^(\S+) is required/.exec(match[2]);
            if (missing?.[1]) fields[missing[1]] = match[2];
        }
    }
    return fields;
}

async function errorOf(response: Response): Promise<ApiError> {
    let message = `${response.status} ${response.statusText}`.trim();
    let fields: Record<string, string> = {};
    let retry: number | null = null;
    try {
        const body = (await response.json()) as { detail?: unknown; title?: unknown; error?: unknown; retry_after?: unknown; invalid_fields?: unknown };
        const said = body.detail ?? body.error ?? body.title;
        if (typeof said === "string" && said) message = said;
        if (response.status === 422) {
            fields = fieldsOfDetail(message);
            if (Array.isArray(body.invalid_fields))
                for (const each of body.invalid_fields as { field?: string; description?: string }[])
                    if (each.field && each.description) fields[each.field.replace(/^input\./, "")] = each.description;
        }
        if (typeof body.retry_after === "number") retry = body.retry_after;
    } catch {
        // not JSON: the status line has to do
    }
    const header = Number(response.headers.get("Retry-After"));
    return new ApiError(response.status, message, fields, retry ?? (header > 0 ? header : null));
}

/** One call; the raw response of a success. Throws ApiError, OfflineError or the signal's reason. */
export async function send(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
    const token = currentToken();
    if (token) headers["Authorization"] = `Bearer ${token}`;
    let body: BodyInit | undefined;
    if (options.body instanceof FormData || options.body instanceof Blob) body = options.body;
    else if (options.body !== undefined) {
        headers["Content-Type"] = "application/json";
        body = JSON.stringify(options.body);
    }
    let response: Response;
    try {
        response = await fetch(urlOf(path, options.query), { method, headers, body, signal: options.signal, credentials: "omit", cache: "no-store" });
    } catch (error) {
        if (options.signal?.aborted) throw error;
        throw new OfflineError();
    }
    if (response.ok) return response;
    const error = await errorOf(response);
    if (error.status === 401 && token && token === currentToken()) endSession("expired");
    throw error;
}

/** One call whose answer is JSON (undefined for 204). */
export async function api<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const response = await send(method, path, options);
    return (response.status === 204 ? undefined : await response.json()) as T;
}

/** A link of the API (a page's `next`, a prediction's `urls.get`) as a path of this server, whatever host it was written with. */
export function pathOf(link: string): string {
    const url = new URL(link, window.location.origin);
    const at = url.pathname.indexOf("/v1/");
    return (at > 0 ? url.pathname.slice(at) : url.pathname) + url.search;
}
