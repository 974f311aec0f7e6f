// What the URL says as what the API is asked.
import { describe, expect, it } from "vitest";
import { cursorOf, dayStart, listParameters } from "./list-query";

describe("list query", () => {
    it("takes whole days of this time zone, the last one included", () => {
        const asked = listParameters({ after: "2026-11-20", before: "2026-11-21" });
        expect(new Date(asked.created_after as string).getTime()).toBe(new Date(2026, 10, 20).getTime());
        expect(new Date(asked.created_before as string).getTime()).toBe(new Date(2026, 10, 22).getTime());
        expect(dayStart("yesterday")).toBeNull();
        expect(dayStart(undefined)).toBeNull();
        expect(dayStart("2026-12-31", 1)).toBe(new Date(2027, 0, 1).toISOString());
    });

    it("finds the cursor in a link of another host", () => {
        expect(cursorOf("http://127.0.0.1:8080/v1/predictions?cursor=a%2Bb&limit=50")).toBe("a+b");
        expect(cursorOf(null)).toBeUndefined();
    });
});
