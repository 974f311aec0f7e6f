// The making of a picture (model, version, input, seed) as the server writes it into PNG, JPEG and WebP files. Only reading; the files
// come from anywhere, so every length is checked and every value is looked at.
import type { Json } from "@/api/types";
import { FILE_BYTES_MAX } from "@/features/picture/links";

export interface Making {
    model: string;
    version: string;
    prediction?: string;
    input: Record<string, Json>;
    seed?: number;
}

const TEXT_BYTES_MAX = 256 * 1024; // the server writes inputs of 4 KiB each
const PARTS_MAX = 100_000; // chunks of a file that are looked at
const INPUTS_MAX = 200;
const KEYWORD = "mimeo";
const XMP_NAME = "http://ns.adobe.com/xap/1.0/\0";

function textOf(bytes: Uint8Array, encoding: "utf-8" | "latin1"): string {
    return new TextDecoder(encoding).decode(bytes);
}

function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
    if (at + text.length > bytes.length) return false;
    for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
    return true;
}

/** After the zero byte that ends the text at `from`; -1 without one. */
function afterZero(bytes: Uint8Array, from: number): number {
    const zero = bytes.indexOf(0, from);
    return zero < 0 ? -1 : zero + 1;
}

function textOfPngChunk(chunk: Uint8Array, kind: "iTXt" | "tEXt"): string | null {
    if (!startsWith(chunk, 0, KEYWORD + "\0")) return null;
    let at = KEYWORD.length + 1;
    if (kind === "tEXt") return textOf(chunk.subarray(at), "latin1");
    if (chunk[at] !== 0) return null; // compressed: the server writes none
    at = afterZero(chunk, at + 2); // the language
    if (at > 0) at = afterZero(chunk, at); // the keyword, translated
    return at > 0 ? textOf(chunk.subarray(at), "utf-8") : null;
}

function findInPng(bytes: Uint8Array): string | null {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 8;
    for (let part = 0; part < PARTS_MAX && at + 12 <= bytes.length; part++) {
        const length = view.getUint32(at);
        const end = at + 8 + length;
        if (end + 4 > bytes.length) return null;
        const kind = startsWith(bytes, at + 4, "iTXt") ? "iTXt" : startsWith(bytes, at + 4, "tEXt") ? "tEXt" : null;
        if (kind && length <= TEXT_BYTES_MAX) {
            const text = textOfPngChunk(bytes.subarray(at + 8, end), kind);
            if (text !== null) return text;
        }
        if (startsWith(bytes, at + 4, "IEND")) return null;
        at = end + 4;
    }
    return null;
}

/** mimeo:making of an XMP packet: an attribute or an element. */
function textOfXmp(packet: string): string | null {
    if (/<!(DOCTYPE|ENTITY)/i.test(packet)) return null; // has no place in XMP, and could blow up
    const start = packet.indexOf("<x:xmpmeta");
    const end = packet.lastIndexOf("?>");
    const xml = start >= 0 ? packet.slice(start, end > start ? packet.lastIndexOf("<?", end) : undefined) : packet;
    const parsed = new DOMParser().parseFromString(xml.trim(), "application/xml");
    if (parsed.querySelector("parsererror")) return null;
    for (const element of parsed.getElementsByTagName("*")) {
        if (element.localName === "making" && element.prefix === KEYWORD) return element.textContent;
        for (const attribute of element.attributes) if (attribute.localName === "making" && attribute.prefix === KEYWORD) return attribute.value;
    }
    return null;
}

function findInJpeg(bytes: Uint8Array): string | null {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 2;
    for (let part = 0; part < PARTS_MAX && at + 4 <= bytes.length; part++) {
        if (bytes[at] !== 0xff) return null;
        const marker = bytes[at + 1]!;
        if (marker === 0xff) {
            at += 1; // a fill byte
            continue;
        }
        if (marker === 0xda || marker === 0xd9) return null; // the pixels begin: what we look for stands before
        const length = view.getUint16(at + 2);
        const end = at + 2 + length;
        if (length < 2 || end > bytes.length) return null;
        if (marker === 0xe1 && startsWith(bytes, at + 4, XMP_NAME)) {
            const text = textOfXmp(textOf(bytes.subarray(at + 4 + XMP_NAME.length, end), "utf-8"));
            if (text !== null) return text;
        }
        at = end;
    }
    return null;
}

function findInWebp(bytes: Uint8Array): string | null {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 12;
    for (let part = 0; part < PARTS_MAX && at + 8 <= bytes.length; part++) {
        const length = view.getUint32(at + 4, true);
        const end = at + 8 + length;
        if (end > bytes.length) return null;
        if (startsWith(bytes, at, "XMP ") && length <= TEXT_BYTES_MAX) return textOfXmp(textOf(bytes.subarray(at + 8, end), "utf-8"));
        at = end + (length % 2);
    }
    return null;
}

/** The JSON as a Making; null when it is none. */
export function parseMaking(text: string): Making | null {
    let value: unknown;
    try {
        value = JSON.parse(text);
    } catch {
        return null;
    }
    if (typeof value !== "object" || value === null) return null;
    const { model, version, prediction, input, seed } = value as Record<string, unknown>;
    if (typeof model !== "string" || !/^[\w.-]{1,128}\/[\w.-]{1,128}$/.test(model)) return null;
    if (typeof version !== "string" || !/^[\w.-]{1,128}$/.test(version)) return null;
    if (typeof input !== "object" || input === null || Array.isArray(input)) return null;
    const entries = Object.entries(input as Record<string, Json>).slice(0, INPUTS_MAX);
    const making: Making = { model, version, input: Object.fromEntries(entries) };
    if (typeof prediction === "string" && /^\w{1,64}$/.test(prediction)) making.prediction = prediction;
    if (typeof seed === "number" && Number.isSafeInteger(seed)) making.seed = seed;
    return making;
}

/** What the file says about its making; null when it says nothing, is no such picture, or is broken. */
export async function readMaking(file: Blob): Promise<Making | null> {
    if (file.size < 16 || file.size > FILE_BYTES_MAX) return null;
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text: string | null = null;
    if (startsWith(bytes, 0, "\x89PNG\r\n\x1a\n")) text = findInPng(bytes);
    else if (bytes[0] === 0xff && bytes[1] === 0xd8) text = findInJpeg(bytes);
    else if (startsWith(bytes, 0, "RIFF") && startsWith(bytes, 8, "WEBP")) text = findInWebp(bytes);
    return text === null ? null : parseMaking(text);
}
