// What the compare page compares: columns with a model and settings each, and the input they share. Pure; kept over a reload.
import type { InputValues } from "@/features/run/prepare";
import type { InputField } from "@/features/schema-form/schema";

export const MOST_COLUMNS = 6; // beside one another on a wide screen

export interface Column {
    id: string;
    model: string; // owner/name
    version: string; // "" for the newest
    values: InputValues; // all but what is shared
}

export interface Shared {
    picture: File | string | null;
    prompt: string;
}

export interface Comparison {
    columns: Column[];
    shared: Shared;
}

/** Which of a model's inputs the shared picture and prompt go to. */
export function sharedFields(fields: InputField[]): { picture?: InputField; prompt?: InputField } {
    const files = fields.filter((field) => field.kind === "file" && !/mask/i.test(field.name));
    const texts = fields.filter((field) => field.kind === "text" && !/negative/i.test(field.name));
    return {
        picture: files.find((field) => field.required) ?? files.find((field) => /^(image|img|input_image|picture)$/i.test(field.name)) ?? files[0],
        prompt: texts.find((field) => /^(prompt|text|caption|instruction)$/i.test(field.name)) ?? texts.find((field) => field.required),
    };
}

/** A column's own values with what is shared put in its place. */
export function inputOf(fields: InputField[], values: InputValues, shared: Shared): InputValues {
    const { picture, prompt } = sharedFields(fields);
    const input = { ...values };
    for (const field of [picture, prompt]) if (field) delete input[field.name];
    if (picture && shared.picture !== null) input[picture.name] = shared.picture;
    if (prompt && shared.prompt !== "") input[prompt.name] = shared.prompt;
    return input;
}

let made = 0;

export function newColumn(model: string, version = "", values: InputValues = {}): Column {
    made += 1;
    return { id: `${Date.now().toString(36)}-${made}`, model, version, values };
}

/** A file travels with the tab, not with the text that is kept; so it is left out there. */
function withoutFiles(values: InputValues): InputValues {
    return Object.fromEntries(Object.entries(values).filter(([, value]) => !(value instanceof File) && !(Array.isArray(value) && (value as unknown[]).some((each) => each instanceof File))));
}

export function toText(comparison: Comparison): string {
    const { picture, prompt } = comparison.shared;
    return JSON.stringify({ columns: comparison.columns.map((column) => ({ ...column, values: withoutFiles(column.values) })), shared: { picture: typeof picture === "string" ? picture : null, prompt } });
}

/** What was kept; null when it is nothing of ours. */
export function fromText(text: string | null): Comparison | null {
    try {
        const kept = JSON.parse(text ?? "null") as Comparison | null;
        if (!kept || !Array.isArray(kept.columns) || typeof kept.shared !== "object" || kept.shared === null) return null;
        const columns = kept.columns.filter((column) => typeof column?.id === "string" && typeof column.model === "string" && typeof column.version === "string" && typeof column.values === "object" && column.values !== null).slice(0, MOST_COLUMNS);
        const picture = typeof kept.shared.picture === "string" ? kept.shared.picture : null;
        return columns.length ? { columns, shared: { picture, prompt: typeof kept.shared.prompt === "string" ? kept.shared.prompt : "" } } : null;
    } catch {
        return null;
    }
}

/** The shortest of several times, when there are at least two to compare. */
export function fastest(times: Record<string, number | null>): string | null {
    const known = Object.entries(times).filter((entry): entry is [string, number] => entry[1] !== null);
    if (known.length < 2) return null;
    return known.reduce((best, each) => (each[1] < best[1] ? each : best))[0];
}
