// @vitest-environment node
import { afterEach, describe, expect, it, vi } from "vitest";
import { EventParser, followStream, type ServerEvent } from "./sse";

describe("EventParser", () => {
    it("gives events with name, id and data", () => {
        expect(new EventParser().feed(": hi\n\nevent: output\nid: 17:1\ndata: hello \n\n")).toEqual([{ name: "output", id: "17:1", data: "hello " }]);
    });

    it("joins several data lines with LF and keeps leading spaces but the first", () => {
        expect(new EventParser().feed("data:  two spaces\ndata:none\ndata\n\n")).toEqual([{ name: "message", id: null, data: " two spaces\nnone\n" }]);
    });

    it("does not mind where the pieces are cut", () => {
        const whole = "event: logs\r\nid: 1:0.5\r\ndata: a\r\ndata: b\r\n\r\nevent: done\ndata: {}\n\n";
        const at_once = new EventParser().feed(whole);
        const parser = new EventParser();
        const piecewise = [...whole].flatMap((character) => parser.feed(character));
        expect(piecewise).toEqual(at_once);
        expect(at_once).toEqual([
            { name: "logs", id: "1:0.5", data: "a\nb" },
            { name: "done", id: "1:0.5", data: "{}" },
        ]);
    });

    it("gives nothing for an event without data or without its empty line", () => {
        expect(new EventParser().feed("event: output\n\nevent: x\ndata: y\n")).toEqual([]);
    });
});

describe("followStream", () => {
    afterEach(() => vi.unstubAllGlobals());

    const answer = (text: string) => new Response(new Blob([text]).stream(), { headers: { "Content-Type": "text/event-stream" } });

    it("goes on after the last event when it was cut off, and ends with done", async () => {
        const fetched = vi.fn().mockResolvedValueOnce(answer("event: output\nid: 5:1\ndata: a\n\n")).mockResolvedValueOnce(answer("event: done\nid: 5:1\ndata: {}\n\n"));
        vi.stubGlobal("fetch", fetched);
        const events: ServerEvent[] = [];
        expect(await followStream("/v1/streams/x", new AbortController().signal, (event) => events.push(event))).toBe(true);
        expect(events.map((event) => event.name)).toEqual(["output", "done"]);
        expect(fetched.mock.calls[1]![1].headers["Last-Event-ID"]).toBe("5:1");
        expect(fetched.mock.calls[0]![1].headers).not.toHaveProperty("Authorization");
    });

    it("stops when aborted", async () => {
        const abort = new AbortController();
        vi.stubGlobal("fetch", vi.fn().mockImplementation(() => (abort.abort(), Promise.reject(new Error("gone")))));
        expect(await followStream("/v1/streams/x", abort.signal, () => {})).toBe(false);
    });

    it("gives up after some refusals, so that polling takes over", async () => {
        vi.useFakeTimers();
        const fetched = vi.fn().mockResolvedValue(new Response("", { status: 404 }));
        vi.stubGlobal("fetch", fetched);
        const followed = followStream("/v1/streams/x", new AbortController().signal, () => {});
        await vi.runAllTimersAsync();
        expect(await followed).toBe(false);
        expect(fetched).toHaveBeenCalledTimes(5);
        vi.useRealTimers();
    });
});
