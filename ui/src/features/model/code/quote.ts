// Texts as literals of the languages that code samples are in. Pure. Whatever an input holds, the sample means exactly that and shows
// it plainly: what cannot be seen, or would turn the direction of the line, is written as an escape.
import type { Json } from "@/api/types";

/** A file that only this computer has: samples read it by its name. */
export interface LocalFile {
    file: string;
}
export type SampleValue = Json | LocalFile | (Json | LocalFile)[];

export function isLocalFile(value: SampleValue | undefined): value is LocalFile {
    return typeof value === "object" && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) === LOCAL;
}
const LOCAL = Object.freeze({ local: true });

export function localFile(name: string): LocalFile {
    return Object.assign(Object.create(LOCAL) as LocalFile, { file: name });
}

// Controls, lone surrogates, line separators, marks of direction, the byte order mark.
const HIDDEN = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function escaped(letter: string): string {
    return `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A text in double quotes, as JSON, JavaScript and Python read it alike. */
export function quoted(text: string): string {
    return JSON.stringify(text).replace(HIDDEN, escaped);
}

/** As JSON, on several lines; nothing hidden in it. */
export function json(value: Json, indent: number | undefined = 2): string {
    return JSON.stringify(value, null, indent).replace(HIDDEN, escaped);
}

/** Lines after the first moved to the right. */
export function indented(text: string, by: string): string {
    return text.replaceAll("\n", `\n${by}`);
}

function octal(byte: number): string {
    return `\\${byte.toString(8).padStart(3, "0")}`;
}

// Controls other than line ends and tabs, which a shell's own quotes could not show.
const SHELL_HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

/** One word of a shell; one_line: also where it holds line ends. */
export function shell(text: string, one_line = false): string {
    if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
    if (!SHELL_HIDDEN.test(text) && !(one_line && text.includes("\n"))) return `'${text.replaceAll("'", "'\\''")}'`;
    // bash, zsh and ksh: bytes by their octal numbers, so that nothing is hidden.
    const bytes = Array.from(new TextEncoder().encode(text), (byte) => (byte >= 0x20 && byte < 0x7f && byte !== 0x27 && byte !== 0x5c ? String.fromCharCode(byte) : octal(byte)));
    return `$'${bytes.join("")}'`;
}

/** Go has no halves of surrogate pairs. */
export function goString(text: string): string {
    return quoted(text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd"));
}

const C_PLAIN = new Map([[0x0a, "\\n"], [0x09, "\\t"], [0x0d, "\\r"], [0x22, '\\"'], [0x5c, "\\\\"]]);
const QUESTION = 0x3f;

/** A C string literal of the text's UTF-8: only ASCII in it, and no trigraphs (two question marks in a row). */
export function cString(text: string): string {
    const bytes = new TextEncoder().encode(text);
    const letters = Array.from(bytes, (byte, at) => {
        if (byte === QUESTION && bytes[at - 1] === QUESTION) return "\\?";
        return C_PLAIN.get(byte) ?? (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : octal(byte));
    });
    return `"${letters.join("")}"`;
}
