// The form for a new token.
import { describe, expect, it } from "vitest";
import { bodyOf, problemsOf, readLimit, type TokenDraft } from "@/features/tokens/new-token";

const DRAFT: TokenDraft = { name: " laptop ", scopes: ["run", "read"], creates_per_minute: "", predictions_per_day: "50", expiry: "week" };

describe("a new token", () => {
    it("is sent without what was left empty, scopes in order", () => {
        expect(JSON.parse(JSON.stringify(bodyOf(DRAFT)))).toEqual({ name: "laptop", scopes: ["read", "run"], predictions_per_day: 50, expires_in_s: 604800 });
        expect(bodyOf({ ...DRAFT, expiry: "" }).expires_in_s).toBeUndefined();
    });
    it("needs a name and a scope, and limits that are numbers", () => {
        expect(problemsOf(DRAFT)).toEqual({});
        expect(problemsOf({ name: " ", scopes: [], creates_per_minute: "0", predictions_per_day: "1.5", expiry: "" })).toEqual({
            name: "name_missing",
            scopes: "scopes_missing",
            creates_per_minute: "number",
            predictions_per_day: "number",
        });
        expect(problemsOf({ ...DRAFT, name: "x".repeat(101) }).name).toBe("name_long");
    });
    it("reads limits", () => {
        expect(readLimit(" 12 ")).toBe(12);
        expect(readLimit("")).toBeUndefined();
        for (const wrong of ["0", "-1", "1e3", "ten", "99999999999"]) expect(readLimit(wrong)).toBeNull();
    });
});
