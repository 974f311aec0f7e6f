// Values checked against the fields before they are sent, as the server will check them: a message for each wrong one, in the page's
// language. Pure. The server has the last word; this only spares the way there.
import { LANGUAGES, type Language } from "@/i18n";
import type { InputValues } from "@/features/run/prepare";
import { problemMessages, type ProblemText } from "@/features/schema-form/messages";
import type { InputField } from "@/features/schema-form/schema";
import { isEmpty, variantOf, type InputValue } from "@/features/schema-form/values";

const PATTERN_LENGTH_MAX = 300; // of a schema's regular expression that is tried; a longer one is left to the server
const PATTERN_TEXT_MAX = 2000; // of the text it is tried on: a slow expression must not stall the page

function textProblem(field: InputField, value: string, text: ProblemText): string | null {
    const length = [...value].length;
    if (field.minLength !== undefined && length < field.minLength) return text.too_short(field.minLength);
    if (field.maxLength !== undefined && length > field.maxLength) return text.too_long(field.maxLength, length);
    if (!field.pattern || field.pattern.length > PATTERN_LENGTH_MAX || length > PATTERN_TEXT_MAX) return null;
    try {
        return new RegExp(field.pattern, "u").test(value) ? null : text.pattern(field.pattern);
    } catch {
        return null; // an expression of another dialect
    }
}

function numberProblem(field: InputField, value: InputValue, text: ProblemText): string | null {
    if (typeof value !== "number" || !Number.isFinite(value)) return text.number;
    if (field.kind === "integer" && !Number.isInteger(value)) return text.integer;
    if (field.minimum !== undefined && value < field.minimum) return text.at_least(field.minimum);
    if (field.maximum !== undefined && value > field.maximum) return text.at_most(field.maximum);
    if (field.above !== undefined && value <= field.above) return text.above(field.above);
    if (field.below !== undefined && value >= field.below) return text.below(field.below);
    if (field.multipleOf && Math.abs(value / field.multipleOf - Math.round(value / field.multipleOf)) > 1e-9) return text.multiple(field.multipleOf);
    return null;
}

/** A link a file input takes: the web's, or bytes within. */
export function isFileLink(value: string): boolean {
    return /^(https?:\/\/[^\s]+|data:[^,\s]*,)/i.test(value) || value.startsWith("/v1/files/");
}

function listProblem(field: InputField, value: InputValue, text: ProblemText): string | null {
    if (!Array.isArray(value)) return text.list;
    if (field.minItems !== undefined && value.length < field.minItems) return text.few_items(field.minItems);
    if (field.maxItems !== undefined && value.length > field.maxItems) return text.many_items(field.maxItems);
    if (!field.item) return null;
    for (const [index, each] of value.entries()) {
        if (each === null || (each === "" && field.item.kind !== "text")) continue; // added, not filled in: not sent
        const problem = problemOf(field.item, each as InputValue, text);
        if (problem) return text.item(index + 1, problem);
    }
    return null;
}

function jsonProblem(field: InputField, value: InputValue, text: ProblemText): string | null {
    if (typeof value === "string" && (field.json_type || /^\s*[[{"]/.test(value)) && !isJson(value)) return text.json;
    if (field.json_type === "array" && !Array.isArray(value)) return text.list;
    if (field.json_type === "object" && (typeof value !== "object" || Array.isArray(value) || value === null)) return text.object;
    return null;
}

/** The JSON control keeps what does not parse as it was typed. */
function isJson(value: string): boolean {
    try {
        JSON.parse(value);
        return true;
    } catch {
        return false;
    }
}

/** What is wrong with a value that is not empty; null when nothing is. */
export function problemOf(field: InputField, value: InputValue, text: ProblemText): string | null {
    switch (field.kind) {
        case "text":
        case "secret":
            return typeof value === "string" ? textProblem(field, value, text) : text.text;
        case "number":
        case "integer":
            return numberProblem(field, value, text);
        case "boolean":
            return typeof value === "boolean" ? null : text.boolean;
        case "choice":
            return field.choices?.some((choice) => choice === value) ? null : text.choice;
        case "file":
            if (value instanceof File) return null;
            return typeof value === "string" && isFileLink(value) ? null : text.file;
        case "list":
            return listProblem(field, value, text);
        case "union": {
            const variant = field.variants?.[variantOf(field, value)];
            return variant ? problemOf(variant, value, text) : null;
        }
        case "json":
            return jsonProblem(field, value, text);
    }
}

function pageLanguage(): Language {
    const language = typeof document === "undefined" ? "" : document.documentElement.lang;
    return language in LANGUAGES ? (language as Language) : "en";
}

/** A message for each value that is wrong or missing, by name; empty when all is well. */
export function validate(fields: InputField[], values: InputValues, language: Language = pageLanguage()): Record<string, string> {
    const text = problemMessages[language];
    const problems: Record<string, string> = {};
    for (const field of fields) {
        const value = values[field.name];
        if (isEmpty(field, value)) {
            if (field.required) problems[field.name] = text.required;
            continue;
        }
        const problem = value === undefined ? null : problemOf(field, value, text);
        if (problem) problems[field.name] = problem;
    }
    const known = new Set(fields.map((field) => field.name));
    for (const name of Object.keys(values)) if (values[name] !== undefined && !known.has(name)) problems[name] = text.unknown;
    return problems;
}
