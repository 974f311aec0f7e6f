// A code is exchanged once, however often the page renders.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { currentToken, endSession } from "@/api/session";
import { codeOf, exchangeCode, forgetExchange, signInWithToken } from "@/features/sign-in/exchange";

const RECORD = { id: "0123456789abcdef", name: "browser", starts: "r8_abcd", scopes: ["read"], account: "local" };

function answer(status: number, body: unknown) {
    const calls = vi.fn(async (_path: string, _options: RequestInit) => new Response(JSON.stringify(body), { status }));
    vi.stubGlobal("fetch", calls);
    return calls;
}

beforeEach(() => window.history.replaceState(null, "", "/sign-in"));
afterEach(() => {
    vi.unstubAllGlobals();
    forgetExchange();
    endSession("expired");
});

describe("codeOf", () => {
    it("reads the fragment", () => {
        expect(codeOf("#code=a-B_1")).toBe("a-B_1");
        expect(codeOf("#content")).toBeNull();
        expect(codeOf("")).toBeNull();
    });
});

describe("exchangeCode", () => {
    it("clears the address before it asks, and uses the code once", async () => {
        window.history.replaceState(null, "", "/sign-in#code=abc");
        let hash_when_asked = "?";
        const calls = vi.fn(async (_path: string, _options: RequestInit) => {
            hash_when_asked = window.location.hash;
            return new Response(JSON.stringify({ ...RECORD, token: "r8_new" }), { status: 201 });
        });
        vi.stubGlobal("fetch", calls);
        const first = exchangeCode();
        const second = exchangeCode();
        expect(window.location.hash).toBe("");
        expect(await first).toBeNull();
        expect(await second).toBeNull();
        expect(hash_when_asked).toBe("");
        expect(calls).toHaveBeenCalledTimes(1);
        expect(calls.mock.calls[0]![1].body).toBe('{"code":"abc"}');
        expect(currentToken()).toBe("r8_new");
    });
    it("says why a code is refused and keeps the session there is", async () => {
        answer(200, RECORD);
        await signInWithToken("r8_before");
        window.history.replaceState(null, "", "/sign-in#code=old");
        answer(403, { detail: "The code was used already." });
        expect(await exchangeCode()).toEqual({ kind: "code", message: "The code was used already." });
        expect(currentToken()).toBe("r8_before");
    });
    it("is nothing without a code", () => {
        expect(exchangeCode()).toBeNull();
    });
});

describe("signInWithToken", () => {
    it("takes a token with space around it, whatever its form", async () => {
        const calls = answer(200, RECORD);
        expect(await signInWithToken("  hk-12ab \n")).toBeNull();
        expect((calls.mock.calls[0]![1].headers as Record<string, string>)["Authorization"]).toBe("Bearer hk-12ab");
        expect(currentToken()).toBe("hk-12ab");
    });
    it("does not send what cannot be a token", async () => {
        const calls = answer(200, RECORD);
        expect(await signInWithToken("токен")).toEqual({ kind: "wrong", message: "" });
        expect(calls).not.toHaveBeenCalled();
    });
    it("tells a wrong token, a server that is away and too many attempts apart", async () => {
        answer(401, { detail: "Unauthenticated" });
        expect((await signInWithToken("r8_x"))?.kind).toBe("wrong");
        answer(429, { detail: "Too many" });
        expect((await signInWithToken("r8_x"))?.kind).toBe("slow");
        vi.stubGlobal("fetch", vi.fn(async () => Promise.reject(new TypeError("no"))));
        expect((await signInWithToken("r8_x"))?.kind).toBe("offline");
        expect(currentToken()).toBeNull();
    });
});
