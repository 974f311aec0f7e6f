// What changed between two versions, as people read it.
import { expect, it } from "vitest";
import type { JsonSchema } from "@/api/types";
import { inputChanges } from "@/features/model/version-diff";
import { parseInput } from "@/features/schema-form/schema";

const fields = (properties: Record<string, JsonSchema>, required: string[] = []) => parseInput({ components: { schemas: { Input: { type: "object", properties, required } } } });

it("says what was added, removed and changed, and how; order and titles are no change", () => {
    const before = fields({ image: { type: "string", format: "uri", "x-order": 0 }, scale: { type: "number", default: 4, maximum: 10, "x-order": 1 }, old: { type: "string", "x-order": 2 } }, ["image"]);
    const after = fields({ scale: { type: "number", default: 2, maximum: 10, minimum: 1, title: "Factor", "x-order": 0 }, image: { type: "string", format: "uri", "x-order": 5 }, face: { type: "boolean", "x-order": 3 } });
    expect(inputChanges(before, after)).toEqual([
        { name: "scale", kind: "changed", details: [{ what: "default", before: "4", after: "2" }, { what: "minimum", before: "", after: "1" }] },
        { name: "face", kind: "added", details: [] },
        { name: "image", kind: "changed", details: [{ what: "required", before: "true", after: "false" }] },
        { name: "old", kind: "removed", details: [] },
    ]);
    expect(inputChanges(after, after)).toEqual([]);
});
