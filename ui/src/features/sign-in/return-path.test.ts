// Only paths of this page are gone back to.
import { beforeEach, describe, expect, it } from "vitest";
import { safeReturnPath, takeReturnPath } from "@/features/sign-in/return-path";

const ORIGIN = "http://127.0.0.1:8080";

describe("safeReturnPath", () => {
    it("keeps a page of ours with its search and fragment", () => {
        expect(safeReturnPath("/predictions?status=failed&model=a%2Fb#x", ORIGIN)).toBe("/predictions?status=failed&model=a%2Fb#x");
        expect(safeReturnPath("/", ORIGIN)).toBe("/");
        expect(safeReturnPath("/bria/remove-background", ORIGIN)).toBe("/bria/remove-background");
    });
    it.each([
        null,
        "",
        "predictions",
        "//evil.example",
        "//evil.example/predictions",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/..//evil.example",
        "/a/..//evil.example/b",
        " //evil.example",
        "/sign-in",
        "/sign-in#code=abc",
    ])("goes to the start for %j", (wanted) => {
        expect(safeReturnPath(wanted, ORIGIN)).toBe("/");
    });
});

describe("takeReturnPath", () => {
    beforeEach(() => sessionStorage.clear());
    it("is used once", () => {
        sessionStorage.setItem("mimeo-return-to", "/usage?from=2026-01-01");
        expect(takeReturnPath()).toBe("/usage?from=2026-01-01");
        expect(takeReturnPath()).toBe("/");
    });
});
