// What the browser tab says.
import { describe, expect, it } from "vitest";
import { shellMessages } from "@/features/shell/messages";
import { titleOf } from "@/features/shell/title";

describe("titleOf", () => {
    it("names every page in the language", () => {
        expect(titleOf("/", shellMessages.en)).toBe("Create · Mimeo");
        expect(titleOf("/usage", shellMessages.ru)).toBe("Расход · Mimeo");
        expect(titleOf("/sign-in", shellMessages.vi)).toBe("Đăng nhập · Mimeo");
    });
    it("names models and predictions", () => {
        expect(titleOf("/bria/remove-background", shellMessages.en)).toBe("bria/remove-background · Mimeo");
        expect(titleOf("/p/ryfsav71", shellMessages.en)).toBe("Prediction ryfsav71 · Mimeo");
    });
    it("says when there is no such page, whatever was typed", () => {
        expect(titleOf("/no", shellMessages.en)).toBe("There is no such page · Mimeo");
        expect(titleOf("/a/b/c", shellMessages.en)).toBe("There is no such page · Mimeo");
        expect(titleOf("/%zz/b", shellMessages.en)).toBe("%zz/b · Mimeo");
    });
});
