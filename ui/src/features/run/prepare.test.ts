// Files of an input on their way: small ones inline, others uploaded, with progress, patience and an end when stopped.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, OfflineError } from "@/api/http";
import { INLINE_BYTES_MAX, prepareInput, withPatience } from "./prepare";

interface Answer {
    status: number;
    body?: unknown;
    lost?: boolean;
}
let answers: Answer[] = [];
let sent: FakeRequest[] = [];

/** What the browser would do, with the answers from above, one for each request. */
class FakeRequest {
    upload: { onprogress?: (event: { loaded: number }) => void } = {};
    status = 0;
    responseText = "";
    headers: Record<string, string> = {};
    onload?: () => void;
    onerror?: () => void;
    onabort?: () => void;
    onloadend?: () => void;
    aborted = false;
    open(): void {}
    setRequestHeader(name: string, value: string): void {
        this.headers[name] = value;
    }
    getResponseHeader(): string | null {
        return null;
    }
    abort(): void {
        this.aborted = true;
        this.onabort?.();
        this.onloadend?.();
    }
    send(): void {
        sent.push(this);
        const answer = answers.shift();
        setTimeout(() => {
            if (this.aborted || !answer) return;
            this.upload.onprogress?.({ loaded: 1000 });
            if (answer.lost) this.onerror?.();
            else {
                this.status = answer.status;
                this.responseText = JSON.stringify(answer.body ?? {});
                this.onload?.();
            }
            this.onloadend?.();
        });
    }
}

const stored = (id: string) => ({ status: 201, body: { id, expires_at: new Date(Date.now() + 86_400_000).toISOString(), urls: { get: `http://h/v1/files/${id}` } } });
const large = (name = "large.png") => new File([new Uint8Array(INLINE_BYTES_MAX)], name, { type: "image/png" });
const small = new File(["tiny"], "small.txt", { type: "text/plain" });

beforeEach(() => {
    answers = [];
    sent = [];
    vi.stubGlobal("XMLHttpRequest", FakeRequest);
});
afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
});

describe("prepareInput", () => {
    it("leaves what is no file as it is", async () => {
        expect(await prepareInput({ prompt: "x", scale: 2, on: false, none: null, list: ["a", 1] })).toEqual({ prompt: "x", scale: 2, on: false, none: null, list: ["a", 1] });
        expect(sent).toHaveLength(0);
    });
    it("puts small files into the request and uploads others", async () => {
        answers = [stored("f1")];
        const input = await prepareInput({ note: small, image: large() });
        expect(input).toEqual({ note: `data:text/plain;base64,${btoa("tiny")}`, image: "http://h/v1/files/f1" });
    });
    it("keeps the order of a list of files and links", async () => {
        answers = [stored("f1"), stored("f2")];
        expect(await prepareInput({ images: [large("a"), "http://h/b.png", large("c")] })).toEqual({ images: ["http://h/v1/files/f1", "http://h/b.png", "http://h/v1/files/f2"] });
    });
    it("does not upload the same file twice", async () => {
        answers = [stored("f1")];
        const file = large();
        await prepareInput({ image: file });
        expect(await prepareInput({ image: file })).toEqual({ image: "http://h/v1/files/f1" });
        expect(sent).toHaveLength(1);
    });
    it("tells how far it is, and ends with everything", async () => {
        answers = [stored("f1")];
        const told: [number, number][] = [];
        await prepareInput({ note: small, image: large() }, (done, total) => told.push([done, total]));
        const total = INLINE_BYTES_MAX + 4;
        expect(told[0]).toEqual([0, total]);
        expect(told.at(-1)).toEqual([total, total]);
        expect(told).toContainEqual([1004, total]);
    });
    it("says what the server says", async () => {
        answers = [{ status: 413, body: { detail: "Files must be less than 100MB in size" } }];
        await expect(prepareInput({ image: large() })).rejects.toMatchObject({ status: 413, message: "Files must be less than 100MB in size" });
    });
    it("sends again after a lost connection", async () => {
        vi.useFakeTimers();
        answers = [{ status: 0, lost: true }, { status: 503 }, stored("f1")];
        const prepared = prepareInput({ image: large() });
        await vi.runAllTimersAsync();
        expect(await prepared).toEqual({ image: "http://h/v1/files/f1" });
        expect(sent).toHaveLength(3);
    });
    it("stops when it is told to, in the middle of an upload", async () => {
        const stop = new AbortController();
        const prepared = prepareInput({ image: large() }, undefined, stop.signal);
        await vi.waitFor(() => expect(sent).toHaveLength(1));
        stop.abort(new Error("stopped"));
        await expect(prepared).rejects.toThrow("stopped");
        expect(sent[0]?.aborted).toBe(true);
    });
});

describe("withPatience", () => {
    it("waits as long as the server asks", async () => {
        vi.useFakeTimers();
        const attempt = vi.fn().mockRejectedValueOnce(new ApiError(429, "slow down", {}, 3)).mockResolvedValueOnce("done");
        const result = withPatience(attempt);
        await vi.advanceTimersByTimeAsync(2900);
        expect(attempt).toHaveBeenCalledTimes(1);
        await vi.advanceTimersByTimeAsync(200);
        expect(await result).toBe("done");
    });
    it("does not wait for a daily limit, nor repeat what was refused", async () => {
        const daily = vi.fn().mockRejectedValue(new ApiError(429, "tomorrow", {}, 7200));
        await expect(withPatience(daily)).rejects.toThrow("tomorrow");
        const wrong = vi.fn().mockRejectedValue(new ApiError(422, "wrong"));
        await expect(withPatience(wrong)).rejects.toThrow("wrong");
        expect(daily).toHaveBeenCalledTimes(1);
        expect(wrong).toHaveBeenCalledTimes(1);
    });
    it("gives up in the end", async () => {
        vi.useFakeTimers();
        const result = withPatience(() => Promise.reject(new OfflineError()));
        const caught = expect(result).rejects.toThrow(OfflineError);
        await vi.runAllTimersAsync();
        await caught;
    });
});
