// Values of a form and the input that is sent: each made from the other. Pure. A key that is absent has not been given: the model's own
// default counts then. Files stay Files here; features/run/prepare.ts uploads them.
import type { Json } from "@/api/types";
import type { InputValues } from "@/features/run/prepare";
import type { InputField } from "@/features/schema-form/schema";

export type InputValue = InputValues[string];

/** Every default there is: what a form shows at first. */
export function defaultsOf(fields: InputField[]): InputValues {
    return Object.fromEntries(fields.filter((field) => field.default !== undefined).map((field) => [field.name, structuredClone(field.default) as Json]));
}

/** Not filled in. An empty text counts as given where it replaces a default that is not empty. */
export function isEmpty(field: InputField, value: InputValue | undefined): boolean {
    if (value === undefined || value === null) return true;
    if (value === "") return field.required || field.kind !== "text" || field.default === undefined || field.default === "";
    return field.kind === "list" && Array.isArray(value) && value.length === 0 && (field.default === undefined || (Array.isArray(field.default) && field.default.length === 0));
}

/** What is sent: without what is empty. Entries of lists that were added and not filled in go as well. */
export function cleanInput(fields: InputField[], values: InputValues): InputValues {
    const clean: InputValues = {};
    const known = new Map(fields.map((field) => [field.name, field]));
    for (const [name, value] of Object.entries(values)) {
        const field = known.get(name);
        if (value === undefined || (field && isEmpty(field, value))) continue;
        if (field?.kind === "list" && Array.isArray(value)) clean[name] = value.filter((each) => each !== null && (each !== "" || field.item?.kind === "text"));
        else clean[name] = value;
    }
    return clean;
}

/** As the field's type has it, where that can be done without guessing: "7" for a number is 7. */
function coerce(field: InputField, value: Json): Json {
    if ((field.kind === "number" || field.kind === "integer") && typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value))) return Number(value);
    if (field.kind === "boolean" && (value === "true" || value === "false")) return value === "true";
    if (field.kind === "choice") return field.choices?.find((choice) => choice === value) ?? field.choices?.find((choice) => String(choice) === String(value)) ?? value;
    if (field.kind === "list" && field.item && Array.isArray(value)) {
        const { item } = field;
        return value.map((each) => coerce(item, each));
    }
    return value;
}

/** Form values of an input that was stored (an example, an earlier prediction): the defaults, and what it says. Names the model does not have are left out. */
export function valuesFromInput(fields: InputField[], input: Record<string, Json> | null | undefined): InputValues {
    const values = defaultsOf(fields);
    for (const field of fields) {
        const value = input && Object.hasOwn(input, field.name) ? input[field.name] : undefined;
        if (value !== undefined && value !== null) values[field.name] = coerce(field, value);
    }
    return values;
}

/** Only what differs from the defaults: what a short request has to say. */
export function withoutDefaults(fields: InputField[], values: InputValues): InputValues {
    const known = new Map(fields.map((field) => [field.name, field]));
    return Object.fromEntries(
        Object.entries(values).filter(([name, value]) => {
            const field = known.get(name);
            return !field || field.default === undefined || JSON.stringify(value) !== JSON.stringify(field.default);
        }),
    );
}

/** Does the value look like what this field takes? Tells a union's variants apart. */
export function fits(field: InputField, value: InputValue | undefined): boolean {
    switch (field.kind) {
        case "text":
        case "secret":
            return typeof value === "string";
        case "file":
            return typeof value === "string" || value instanceof File;
        case "number":
            return typeof value === "number";
        case "integer":
            return typeof value === "number" && Number.isInteger(value);
        case "boolean":
            return typeof value === "boolean";
        case "choice":
            return Boolean(field.choices?.some((choice) => choice === value));
        case "list":
            return Array.isArray(value);
        case "union":
            return Boolean(field.variants?.some((variant) => fits(variant, value)));
        case "json":
            if (field.json_type === "array") return Array.isArray(value);
            return field.json_type !== "object" || (typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof File));
    }
}

/** The variant of a union that a value belongs to; the first when it is none's. */
export function variantOf(field: InputField, value: InputValue | undefined): number {
    const found = field.variants?.findIndex((variant) => fits(variant, value)) ?? -1;
    return found < 0 ? 0 : found;
}
