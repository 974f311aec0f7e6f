// Parts of the page while the server is away.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { patiently } from "@/api/chunks";

const health = vi.fn<() => Promise<Response>>();

beforeEach(() => {
    vi.useFakeTimers();
    health.mockReset();
    vi.stubGlobal("fetch", health);
});
afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
});

describe("a part of the page", () => {
    it("is waited for while the server does not answer", async () => {
        health.mockRejectedValueOnce(new TypeError()).mockRejectedValueOnce(new TypeError()).mockResolvedValue(new Response());
        const load = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new TypeError("no connection")).mockResolvedValue("part");
        const loaded = patiently(load);
        await vi.advanceTimersByTimeAsync(10_000);
        expect(await loaded).toBe("part");
        expect(load).toHaveBeenCalledTimes(2);
        expect(health).toHaveBeenCalledTimes(3);
    });
    it("fails at once when the server is there without it", async () => {
        health.mockResolvedValue(new Response());
        const load = vi.fn<() => Promise<string>>().mockRejectedValue(new TypeError("not found"));
        await expect(patiently(load)).rejects.toThrow("not found");
        expect(load).toHaveBeenCalledTimes(1);
    });
});
