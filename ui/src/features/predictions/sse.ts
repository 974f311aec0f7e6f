// Server-sent events from a fetch: a parser for the text as it comes in pieces, and a reader that goes on where it was cut off.

export interface ServerEvent {
    name: string;
    data: string;
    id: string | null;
}

const MOST_PENDING = 16 * 1024 * 1024; // of one event: larger ones (a data URL of a picture) are not worth following

/** Feed it text; it gives the events that are complete. LF, CRLF and CR end a line, as the standard has it. */
export class EventParser {
    private pending = "";
    private name = "";
    private data: string[] = [];
    private id: string | null = null;
    private size = 0;

    feed(text: string): ServerEvent[] {
        const events: ServerEvent[] = [];
        this.pending += text;
        let start = 0;
        for (;;) {
            const end = this.lineEnd(start);
            if (end === null) break;
            const event = this.line(this.pending.slice(start, end.at));
            if (event) events.push(event);
            start = end.next;
        }
        this.pending = this.pending.slice(start);
        if (this.pending.length + this.size > MOST_PENDING) throw new Error("An event of the stream is too large.");
        return events;
    }

    private lineEnd(from: number): { at: number; next: number } | null {
        for (let at = from; at < this.pending.length; at++) {
            const character = this.pending[at];
            if (character === "\n") return { at, next: at + 1 };
            if (character === "\r") {
                if (at + 1 === this.pending.length) return null; // an LF may follow in the next piece
                return { at, next: this.pending[at + 1] === "\n" ? at + 2 : at + 1 };
            }
        }
        return null;
    }

    private line(line: string): ServerEvent | null {
        if (line === "") {
            const event = this.data.length ? { name: this.name || "message", data: this.data.join("\n"), id: this.id } : null;
            this.name = "";
            this.data = [];
            this.size = 0;
            return event;
        }
        const colon = line.indexOf(":");
        if (colon === 0) return null; // a comment
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") this.name = value;
        else if (field === "data") {
            this.data.push(value);
            this.size += value.length;
        } else if (field === "id" && !value.includes("\0")) this.id = value;
        return null;
    }
}

const FIRST_WAIT_MS = 500;
const MOST_TRIES = 5; // in a row without an event; then polling has to do

async function readOnce(path: string, last_id: string | null, signal: AbortSignal, onEvent: (event: ServerEvent) => void): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (last_id) headers["Last-Event-ID"] = last_id;
    const response = await fetch(path, { headers, signal, credentials: "omit", cache: "no-store" });
    if (!response.ok || !response.body) throw new Error(`The stream answered with ${response.status}.`);
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        for (const event of parser.feed(value)) onEvent(event);
    }
}

function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
}

/** Follow a stream until its `done` (true) or until it is given up or aborted (false). The link is its own credential: no token goes along. */
export async function followStream(path: string, signal: AbortSignal, onEvent: (event: ServerEvent) => void): Promise<boolean> {
    let last_id: string | null = null;
    let finished = false;
    for (let tries = 0; tries < MOST_TRIES && !signal.aborted && !finished; tries++) {
        try {
            await readOnce(path, last_id, signal, (event) => {
                tries = 0;
                if (event.id) last_id = event.id;
                if (event.name === "done") finished = true;
                onEvent(event);
            });
        } catch {
            // cut off, refused, or not there: asked again below
        }
        if (!finished && !signal.aborted) await wait(FIRST_WAIT_MS * 2 ** tries, signal);
    }
    return finished;
}
