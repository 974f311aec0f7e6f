// A log as a terminal would show it: carriage returns write over the line, ANSI colour codes colour it, other codes are dropped.
// Colours come out as words that a component turns into classes. Pure; bounded.

export interface Style {
    colour?: Colour;
    bold?: boolean;
    dim?: boolean;
    italic?: boolean;
    underline?: boolean;
}
export type Colour = "red" | "green" | "yellow" | "blue" | "magenta" | "cyan" | "grey";

export interface Span extends Style {
    text: string;
}
export type Line = Span[];

const MOST_LINES = 5000; // what a browser still lays out without a pause
const MOST_CHARACTERS = 2_000_000;
const MOST_PER_LINE = 10_000;

const COLOURS: (Colour | undefined)[] = [undefined, "red", "green", "yellow", "blue", "magenta", "cyan", undefined]; // black and white are the text's own colour

/** One SGR sequence ("1;31") applied. 256 and true colours are taken as none. */
function styled(before: Style, codes: string): Style {
    let style: Style = { ...before };
    const numbers = codes.split(/[;:]/).map(Number);
    for (let at = 0; at < numbers.length; at++) {
        const code = numbers[at]!;
        if (code === 0) style = {};
        else if (code === 1) style.bold = true;
        else if (code === 2) style.dim = true;
        else if (code === 3) style.italic = true;
        else if (code === 4) style.underline = true;
        else if (code === 22) style.bold = style.dim = undefined;
        else if (code === 23) style.italic = undefined;
        else if (code === 24) style.underline = undefined;
        else if (code >= 30 && code <= 37) style.colour = COLOURS[code - 30];
        else if (code === 90) style.colour = "grey";
        else if (code > 90 && code <= 97) style.colour = COLOURS[code - 90];
        else if (code === 39) style.colour = undefined;
        else if (code === 38 || code === 48) {
            if (code === 38) style.colour = undefined;
            at += numbers[at + 1] === 5 ? 2 : 4;
        }
    }
    return style;
}

function sameStyle(one: Style, other: Style): boolean {
    return one.colour === other.colour && !one.bold === !other.bold && !one.dim === !other.dim && !one.italic === !other.italic && !one.underline === !other.underline;
}

/** A line being written: characters with a style each, and where the next one goes. */
class Row {
    private characters: string[] = [];
    private styles: Style[] = [];
    private column = 0;

    write(text: string, style: Style): void {
        for (const character of text) {
            if (this.column >= MOST_PER_LINE) return;
            this.characters[this.column] = character;
            this.styles[this.column] = style;
            this.column += 1;
        }
    }

    toStart(): void {
        this.column = 0;
    }

    back(): void {
        this.column = Math.max(0, this.column - 1);
    }

    /** CSI K: 0 to the end, 1 to the cursor, 2 all of it. */
    erase(kind: number): void {
        if (kind === 0) {
            this.characters.length = Math.min(this.characters.length, this.column);
            this.styles.length = this.characters.length;
        } else for (let at = 0; at < (kind === 1 ? Math.min(this.column, this.characters.length) : this.characters.length); at++) this.characters[at] = " ";
    }

    spans(): Line {
        const spans: Line = [];
        for (let at = 0; at < this.characters.length; at++) {
            const style = this.styles[at] ?? {};
            const last = spans.at(-1);
            if (last && sameStyle(last, style)) last.text += this.characters[at] ?? " ";
            else spans.push({ ...style, text: this.characters[at] ?? " " });
        }
        return spans;
    }
}

// Text | colour code | other CSI code | OSC (title, link) | other escape | control character
const TOKEN = /[^\u001b\u0000-\u001f\u007f]+|\t|\u001b\[([0-9;:]*)([@-~])|\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\|$)|\u001b.?|[\u0000-\u001f\u007f]/gu;

function lineOf(raw: string, style_before: Style): { line: Line; style: Style } {
    // Most lines are plain: no need to look at each character.
    // eslint-disable-next-line no-control-regex
    if (!/[\u0000-\u0008\u000b-\u001f\u007f]/.test(raw)) return { line: raw ? [{ ...style_before, text: raw.slice(0, MOST_PER_LINE) }] : [], style: style_before };
    const row = new Row();
    let style = style_before;
    for (const match of raw.matchAll(TOKEN)) {
        const token = match[0];
        if (token === "\r") row.toStart();
        else if (token === "\b") row.back();
        else if (match[2] === "m") style = styled(style, match[1] ?? "");
        else if (match[2] === "K") row.erase(Number(match[1] ?? 0) || 0);
        else if (token === "\t" || token.charCodeAt(0) >= 0x20 && token.charCodeAt(0) !== 0x7f) row.write(token, style);
    }
    return { line: row.spans(), style };
}

const BAR = /^(.*?)\s*\d{1,3}%\|[^|]*\|\s*\d+\/\d+ \[/;

/** Progress bars that were written a line each (logs are kept so): of those that follow one another, the last. */
function foldBars(raw: string[]): string[] {
    return raw.filter((line, at) => {
        const bar = BAR.exec(line)?.[1];
        return bar === undefined || BAR.exec(raw[at + 1] ?? "")?.[1] !== bar;
    });
}

/** The last lines of a log, and how many came before them. */
export function terminalLines(log: string, most_lines = MOST_LINES): { lines: Line[]; left_out: number } {
    const cut = log.length > MOST_CHARACTERS ? log.slice(-MOST_CHARACTERS) : log;
    const all = cut.replace(/\r+\n/g, "\n").split("\n");
    if (all.at(-1) === "") all.pop();
    const raw = foldBars(all);
    const before = log.length > cut.length ? (log.slice(0, -MOST_CHARACTERS).match(/\n/g)?.length ?? 0) : 0;
    const start = Math.max(0, raw.length - most_lines);
    const lines: Line[] = [];
    let style: Style = {};
    for (const each of raw.slice(start)) {
        const done = lineOf(each, style);
        style = done.style;
        lines.push(done.line);
    }
    return { lines, left_out: before + start };
}

/** The same without colours: for copying. */
export function plainText(log: string): string {
    return terminalLines(log, Number.MAX_SAFE_INTEGER)
        .lines.map((line) => line.map((span) => span.text).join(""))
        .join("\n");
}
