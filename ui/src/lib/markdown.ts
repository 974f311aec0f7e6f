// A small reader of Markdown, for READMEs: text in, a tree out. Pure. HTML in it stays text. What it does not know stays as it is written.
// Everything is bounded, and read in one pass: a README is somebody else's text.

export type Inline = { kind: "text"; text: string } | { kind: "code"; text: string } | { kind: "strong" | "emphasis" | "strike"; parts: Inline[] } | { kind: "link"; link: string; parts: Inline[] } | { kind: "break" };

export type Block =
    | { kind: "heading"; level: number; parts: Inline[] }
    | { kind: "paragraph"; parts: Inline[] }
    | { kind: "code"; language: string; text: string }
    | { kind: "quote"; blocks: Block[] }
    | { kind: "list"; ordered: boolean; start: number; items: Block[][] }
    | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
    | { kind: "rule" };

const TEXT_MAX = 200_000; // letters of a README; longer ones are cut
const INLINE_MAX = 20_000; // letters of one paragraph that are read for marks
const DEPTH_MAX = 6; // of lists and quotes within each other, and of marks within marks
const COLUMNS_MAX = 40;

// ---- Within a paragraph -----------------------------------------------------------------------

const MARKS: [string, "strong" | "emphasis" | "strike"][] = [["**", "strong"], ["__", "strong"], ["~~", "strike"], ["*", "emphasis"], ["_", "emphasis"]];

interface Found {
    part: Inline;
    end: number;
}

function codeAt(text: string, at: number): Found | null {
    let ticks = at;
    while (text[ticks] === "`") ticks += 1;
    const fence = text.slice(at, ticks);
    const end = text.indexOf(fence, ticks);
    if (end < 0) return null;
    return { part: { kind: "code", text: text.slice(ticks, end).replaceAll("\n", " ").replace(/^ (.+) $/, "$1") }, end: end + fence.length };
}

/** The bracket that closes the one at `at`. */
function closing(text: string, at: number, open: string, close: string): number {
    let depth = 0;
    for (let index = at; index < text.length; index++) {
        if (text[index] === "\\") index += 1;
        else if (text[index] === open) depth += 1;
        else if (text[index] === close && --depth === 0) return index;
    }
    return -1;
}

/** [words](link "title"); a picture becomes a link to it, as other hosts' pictures are never loaded. */
function linkAt(text: string, at: number, depth: number): Found | null {
    const is_picture = text[at] === "!";
    const start = is_picture ? at + 1 : at;
    const middle = closing(text, start, "[", "]");
    if (middle < 0 || text[middle + 1] !== "(") return null;
    const end = closing(text, middle + 1, "(", ")");
    if (end < 0) return null;
    const target = text.slice(middle + 2, end).trim();
    const link = (/^<([^>]*)>/.exec(target)?.[1] ?? target.split(/\s/)[0] ?? "").replace(/\\(.)/g, "$1");
    const words = text.slice(start + 1, middle);
    const parts = depth < DEPTH_MAX ? inlineOf(words, depth + 1) : [{ kind: "text" as const, text: words }];
    return { part: { kind: "link", link, parts: parts.length > 0 ? parts : [{ kind: "text", text: link }] }, end: end + 1 };
}

function bareLinkAt(text: string, at: number): Found | null {
    const angle = text[at] === "<";
    const match = /^https?:\/\/[^\s<>"'`]+/.exec(text.slice(angle ? at + 1 : at, at + 2000));
    if (!match) return null;
    const link = angle ? match[0] : match[0].replace(/[.,;:!?)\]*_]+$/, "");
    if (angle && text[at + 1 + link.length] !== ">") return null;
    return { part: { kind: "link", link, parts: [{ kind: "text", text: link }] }, end: at + link.length + (angle ? 2 : 0) };
}

function isWord(letter: string | undefined): boolean {
    return letter !== undefined && /[\p{L}\p{N}]/u.test(letter);
}

function markAt(text: string, at: number, depth: number): Found | null {
    const found = MARKS.find(([mark]) => text.startsWith(mark, at));
    if (!found || depth >= DEPTH_MAX) return null;
    const [mark, kind] = found;
    const first = text[at + mark.length];
    if (first === undefined || /\s/.test(first) || (mark.startsWith("_") && isWord(text[at - 1]))) return null;
    for (let end = text.indexOf(mark, at + mark.length + 1); end > 0; end = text.indexOf(mark, end + 1)) {
        const after = text[end + mark.length];
        if (/[\s\\]/.test(text[end - 1] ?? "") || (mark.startsWith("_") && isWord(after)) || (mark.length === 1 && (after === mark || text[end - 1] === mark))) continue;
        return { part: { kind, parts: inlineOf(text.slice(at + mark.length, end), depth + 1) }, end: end + mark.length };
    }
    return null;
}

function foundAt(text: string, at: number, depth: number): Found | null {
    const letter = text[at];
    if (letter === "`") return codeAt(text, at);
    if (letter === "[" || (letter === "!" && text[at + 1] === "[")) return linkAt(text, at, depth);
    if (letter === "<" || (letter === "h" && text.startsWith("http", at) && !isWord(text[at - 1]))) return bareLinkAt(text, at);
    if (letter === "*" || letter === "_" || letter === "~") return markAt(text, at, depth);
    if (letter === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) return { part: { kind: "text", text: text[at + 1] ?? "" }, end: at + 2 };
    if (letter === "\n") return { part: /( {2}|\\)$/.test(text.slice(Math.max(0, at - 2), at)) ? { kind: "break" } : { kind: "text", text: " " }, end: at + 1 };
    return null;
}

/** Marks that found no partner are not looked for again and again: after so many in one text, the rest is plain. */
const MISSES_MAX = 200;

export function inlineOf(text: string, depth = 0): Inline[] {
    if (text.length > INLINE_MAX) return [{ kind: "text", text }];
    const parts: Inline[] = [];
    let plain = "";
    let misses = 0;
    const flush = () => {
        if (plain) parts.push({ kind: "text", text: plain });
        plain = "";
    };
    for (let at = 0; at < text.length; ) {
        const found = misses < MISSES_MAX ? foundAt(text, at, depth) : null;
        if (found?.part.kind === "text") plain += found.part.text;
        else if (found) {
            flush();
            parts.push(found.part);
        } else {
            if (/[`[<*_~]/.test(text[at] ?? "")) misses += 1;
            plain += text[at];
        }
        at = found ? found.end : at + 1;
    }
    flush();
    return parts;
}

/** The words alone, without marks. */
export function plainText(parts: Inline[]): string {
    return parts.map((part) => ("text" in part ? part.text : "parts" in part ? plainText(part.parts) : " ")).join("");
}

// ---- Blocks -----------------------------------------------------------------------------------

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$/;
const ITEM = /^( {0,6})([-*+]|\d{1,9}[.)])(?:\s+(.*)|)$/;
const TABLE_LINE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

function cellsOf(line: string): string[] {
    const cells = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "").split(/(?<!\\)\|/);
    return cells.slice(0, COLUMNS_MAX).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

interface Reader {
    lines: string[];
    at: number;
    depth: number;
}

function readFence(reader: Reader, fence: RegExpExecArray): Block {
    const [, mark = "```", language = ""] = fence;
    const text: string[] = [];
    for (reader.at += 1; reader.at < reader.lines.length; reader.at++) {
        const line = reader.lines[reader.at] ?? "";
        if (line.trim().startsWith(mark) && line.trim().replaceAll(mark[0] ?? "`", "") === "") break;
        text.push(line);
    }
    reader.at += 1;
    return { kind: "code", language, text: text.join("\n") };
}

function readQuote(reader: Reader): Block {
    const lines: string[] = [];
    while (/^ {0,3}>/.test(reader.lines[reader.at] ?? "")) lines.push((reader.lines[reader.at++] ?? "").replace(/^ {0,3}> ?/, ""));
    return { kind: "quote", blocks: blocksOf(lines, reader.depth + 1) };
}

function readTable(reader: Reader): Block {
    const head = cellsOf(reader.lines[reader.at] ?? "").map((cell) => inlineOf(cell));
    const rows: Inline[][][] = [];
    for (reader.at += 2; (reader.lines[reader.at] ?? "").includes("|"); reader.at++) rows.push(cellsOf(reader.lines[reader.at] ?? "").map((cell) => inlineOf(cell)));
    return { kind: "table", head, rows };
}

/** The lines of one item, without its mark and its indentation. */
function itemLines(reader: Reader, match: RegExpExecArray): string[] {
    const [, indent = "", mark = "-", first = ""] = match;
    const inner = indent.length + mark.length + 1;
    const lines = [first];
    for (reader.at += 1; reader.at < reader.lines.length; reader.at++) {
        const line = reader.lines[reader.at] ?? "";
        const spaces = line.length - line.trimStart().length;
        if (line.trim() === "") {
            const next = reader.lines[reader.at + 1] ?? "";
            if (next.trim() === "" || next.length - next.trimStart().length < Math.min(inner, 2 + indent.length)) break;
        } else if (spaces <= indent.length && (ITEM.test(line) || startsBlock(line))) break;
        lines.push(line.slice(Math.min(spaces, inner)));
    }
    return lines;
}

function readList(reader: Reader, first: RegExpExecArray): Block {
    const ordered = /\d/.test(first[2] ?? "");
    const items: Block[][] = [];
    for (let match: RegExpExecArray | null = first; match && /\d/.test(match[2] ?? "") === ordered; ) {
        items.push(blocksOf(itemLines(reader, match), reader.depth + 1));
        let next = reader.at;
        while ((reader.lines[next] ?? " ").trim() === "" && next < reader.lines.length) next += 1;
        match = RULE.test(reader.lines[next] ?? "") ? null : ITEM.exec(reader.lines[next] ?? "");
        if (match) reader.at = next;
    }
    return { kind: "list", ordered, start: ordered ? Number.parseInt(first[2] ?? "1", 10) : 1, items };
}

function startsBlock(line: string): boolean {
    return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || /^ {0,3}>/.test(line);
}

function readParagraph(reader: Reader): Block {
    const lines: string[] = [];
    for (; reader.at < reader.lines.length; reader.at++) {
        const line = reader.lines[reader.at] ?? "";
        if (line.trim() === "") break;
        if (lines.length > 0 && /^ {0,3}(=+|-+)\s*$/.test(line)) {
            reader.at += 1;
            return { kind: "heading", level: line.includes("=") ? 1 : 2, parts: inlineOf(lines.join("\n").trim()) };
        }
        if (lines.length > 0 && (startsBlock(line) || ITEM.test(line))) break;
        lines.push(line.trimStart());
    }
    return { kind: "paragraph", parts: inlineOf(lines.join("\n").trimEnd()) };
}

function readBlock(reader: Reader): Block {
    const line = reader.lines[reader.at] ?? "";
    const fence = FENCE.exec(line);
    if (fence) return readFence(reader, fence);
    const heading = HEADING.exec(line);
    if (heading) {
        reader.at += 1;
        return { kind: "heading", level: (heading[1] ?? "#").length, parts: inlineOf(heading[2] ?? "") };
    }
    if (RULE.test(line)) {
        reader.at += 1;
        return { kind: "rule" };
    }
    const nested = reader.depth < DEPTH_MAX;
    if (nested && /^ {0,3}>/.test(line)) return readQuote(reader);
    const item = ITEM.exec(line);
    if (nested && item) return readList(reader, item);
    if (line.includes("|") && TABLE_LINE.test(reader.lines[reader.at + 1] ?? "") && (reader.lines[reader.at + 1] ?? "").includes("-")) return readTable(reader);
    return readParagraph(reader);
}

function blocksOf(lines: string[], depth: number): Block[] {
    const reader: Reader = { lines, at: 0, depth };
    const blocks: Block[] = [];
    while (reader.at < lines.length) {
        if ((lines[reader.at] ?? "").trim() === "") {
            reader.at += 1;
            continue;
        }
        const before = reader.at;
        blocks.push(readBlock(reader));
        if (reader.at === before) reader.at += 1; // never stands still
    }
    return blocks;
}

export function readMarkdown(text: string): Block[] {
    const cut = text.slice(0, TEXT_MAX).replace(/\r\n?/g, "\n").replaceAll("\t", "    ");
    return blocksOf(withoutComments(cut).split("\n"), 0);
}

/** <!-- … --> says nothing to a reader. */
function withoutComments(text: string): string {
    let kept = "";
    let at = 0;
    for (let open = text.indexOf("<!--"); open >= 0; open = text.indexOf("<!--", at)) {
        const close = text.indexOf("-->", open);
        if (close < 0) break;
        kept += text.slice(at, open);
        at = close + 3;
    }
    return kept + text.slice(at);
}
