// What a code sample asks for. Pure.
import type { SampleValue } from "@/features/model/code/quote";

/** The environment variable that holds the token in every sample. */
export const TOKEN_VARIABLE = "MIMEO_TOKEN";

export interface SampleRequest {
    /** This server: "http://127.0.0.1:8080". */
    origin: string;
    /** "owner/name". */
    model: string;
    /** 64 hex digits. */
    version: string;
    /** An official model, its newest version: run by its name alone. */
    byName: boolean;
    input: Record<string, SampleValue>;
    /** The output is a file, or a list of them: samples then write it to the disk. */
    files: boolean;
    /** Its short name for POST /api/<name>, if it has one and its newest version is meant. */
    function: string | null;
}

export function identifierOf(request: SampleRequest): string {
    return request.byName ? request.model : `${request.model}:${request.version}`;
}
