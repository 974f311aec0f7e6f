// A form's values as JSON text, and back. Pure. A File cannot stand in JSON: its name does, and is understood again while the form lives.
import type { Json } from "@/api/types";
import type { InputValues } from "@/features/run/prepare";
import type { InputField } from "@/features/schema-form/schema";
import { cleanInput, type InputValue } from "@/features/schema-form/values";

/** Names that stand for files, unique among those seen so far. */
export class FileNames {
    private readonly by_name = new Map<string, File>();
    private readonly names = new Map<File, string>();

    nameOf(file: File): string {
        const known = this.names.get(file);
        if (known) return known;
        let name = `file: ${file.name || "file"}`;
        for (let count = 2; this.by_name.has(name); count++) name = `file: ${file.name || "file"} (${count})`;
        this.by_name.set(name, file);
        this.names.set(file, name);
        return name;
    }

    fileOf(name: string): File | undefined {
        return this.by_name.get(name);
    }
}

function plain(value: InputValue, files: FileNames): Json {
    if (value instanceof File) return files.nameOf(value);
    if (Array.isArray(value)) return value.map((each) => plain(each as InputValue, files));
    return value as Json;
}

/** What would be sent, in the fields' order, names for files. */
export function plainInput(fields: InputField[], values: InputValues, files: FileNames): Record<string, Json> {
    const clean = cleanInput(fields, values);
    const order = [...fields.map((field) => field.name), ...Object.keys(clean)];
    const input: Record<string, Json> = {};
    for (const name of order) {
        const value = Object.hasOwn(clean, name) ? clean[name] : undefined;
        if (value !== undefined) input[name] = plain(value, files);
    }
    return input;
}

export function toJsonText(fields: InputField[], values: InputValues, files: FileNames): string {
    return JSON.stringify(plainInput(fields, values, files), null, 2);
}

function withFiles(value: Json, files: FileNames): InputValue {
    if (typeof value === "string") return files.fileOf(value) ?? value;
    return Array.isArray(value) ? (value.map((each) => withFiles(each, files)) as InputValue) : value;
}

export type Parsed = { values: InputValues } | { broken: string | null };

/** broken: why the text is no JSON; null when it is, but no object. */
export function fromJsonText(text: string, files: FileNames): Parsed {
    let input: Json;
    try {
        input = text.trim() === "" ? {} : (JSON.parse(text) as Json);
    } catch (error) {
        return { broken: error instanceof Error ? error.message : String(error) };
    }
    if (typeof input !== "object" || input === null || Array.isArray(input)) return { broken: null };
    return { values: Object.fromEntries(Object.entries(input).map(([name, value]) => [name, withFiles(value, files)])) };
}
