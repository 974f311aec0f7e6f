// What changed between the inputs of two versions. Pure.
import type { InputField } from "@/features/schema-form/schema";

export interface FieldChange {
    name: string;
    kind: "added" | "removed" | "changed";
    /** Of a changed one: keys of its schema, with what stood there before and after ("" for nothing). */
    details: { what: string; before: string; after: string }[];
}

const SKIPPED = new Set(["title", "x-order", "nullable"]);

function textOf(value: unknown): string {
    if (value === undefined) return "";
    return typeof value === "string" ? value : JSON.stringify(value);
}

/** The schema's own keys, and whether it is needed. */
function factsOf(field: InputField): Record<string, string> {
    const facts = Object.fromEntries(Object.entries(field.schema).filter(([key]) => !SKIPPED.has(key)).map(([key, value]) => [key, textOf(value)]));
    return { ...facts, required: String(field.required) };
}

function detailsOf(before: InputField, after: InputField): FieldChange["details"] {
    const old_facts = factsOf(before);
    const new_facts = factsOf(after);
    const names = [...new Set([...Object.keys(old_facts), ...Object.keys(new_facts)])];
    return names.filter((what) => (old_facts[what] ?? "") !== (new_facts[what] ?? "")).map((what) => ({ what, before: old_facts[what] ?? "", after: new_facts[what] ?? "" }));
}

/** Added and changed ones in the newer version's order, then those that are gone. */
export function inputChanges(before: InputField[], after: InputField[]): FieldChange[] {
    const old_fields = new Map(before.map((field) => [field.name, field]));
    const changes: FieldChange[] = [];
    for (const field of after) {
        const old = old_fields.get(field.name);
        if (!old) changes.push({ name: field.name, kind: "added", details: [] });
        else {
            const details = detailsOf(old, field);
            if (details.length > 0) changes.push({ name: field.name, kind: "changed", details });
        }
    }
    for (const field of before) if (!after.some((each) => each.name === field.name)) changes.push({ name: field.name, kind: "removed", details: [] });
    return changes;
}
