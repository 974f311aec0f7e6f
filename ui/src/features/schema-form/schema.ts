// The inputs of a model, read from its OpenAPI schema: one InputField for each, with everything a control needs. Pure; knows nothing of React.
// Checking values is in validate.ts; turning them into what is sent, and back, in values.ts.
import type { Json, JsonSchema, OpenApi } from "@/api/types";

export { cleanInput, defaultsOf, valuesFromInput } from "@/features/schema-form/values";
export { validate } from "@/features/schema-form/validate";

export type FieldKind = "text" | "number" | "integer" | "boolean" | "choice" | "file" | "secret" | "list" | "union" | "json";

export interface InputField {
    name: string;
    title: string;
    description: string;
    kind: FieldKind;
    required: boolean;
    nullable: boolean;
    deprecated: boolean;
    /** undefined: none. null says the same in a schema, so it is never here. */
    default?: Json;
    minimum?: number;
    maximum?: number;
    /** The limit itself is not allowed. */
    above?: number;
    below?: number;
    multipleOf?: number;
    minLength?: number;
    maxLength?: number;
    pattern?: string;
    minItems?: number;
    maxItems?: number;
    /** Of a choice, in the schema's order. */
    choices?: Json[];
    /** Of a text: more than a line is usual. */
    long?: boolean;
    /** Of a file: what to offer when choosing ("image/*"). */
    accept?: string;
    /** Of a file: what the form begins with, so it gets room even while nothing is chosen. */
    first?: boolean;
    /** Of a list: what each entry is. */
    item?: InputField;
    /** Of a union: what it may be, one of. */
    variants?: InputField[];
    /** Of json: the type its value must have; undefined when any will do. */
    json_type?: "object" | "array";
    /** The schema with its references resolved, for those who show it. */
    schema: JsonSchema;
}

const FIELDS_MAX = 400; // the largest public schema has 76; a form with more than this would only stall the browser
const REFERENCES_MAX = 12; // one after another: a schema that refers to itself ends here
const LONG_NAMES = /prompt|text|caption|description|instruction|message|lyrics|code|script|template|query|question/i;

type Schemas = Record<string, JsonSchema>;

/** The schema with $ref and a single allOf put in its place; what stands beside them wins. */
export function resolve(schema: JsonSchema, schemas: Schemas, depth = 0): JsonSchema {
    if (depth > REFERENCES_MAX || typeof schema !== "object" || schema === null) return {};
    const { $ref, allOf, ...rest } = schema;
    let merged: JsonSchema = {};
    if (typeof $ref === "string") {
        const name = /^#\/(?:components\/schemas|definitions|\$defs)\/(.+)$/.exec($ref)?.[1];
        const target = name !== undefined && Object.hasOwn(schemas, name) ? schemas[name] : undefined;
        if (target) merged = resolve(target, schemas, depth + 1);
    }
    if (Array.isArray(allOf)) for (const each of allOf) merged = { ...merged, ...resolve(each, schemas, depth + 1) };
    return { ...merged, ...rest };
}

function isNull(schema: JsonSchema): boolean {
    return schema.type === "null" || (Array.isArray(schema.enum) && schema.enum.length === 1 && schema.enum[0] === null);
}

interface Shape {
    schema: JsonSchema;
    nullable: boolean;
    variants: JsonSchema[];
}

/** anyOf, oneOf and type lists: "or null" becomes nullable, one that is left takes the place of the whole, more are variants. */
function shapeOf(given: JsonSchema, schemas: Schemas): Shape {
    const schema = resolve(given, schemas);
    const listed = Array.isArray(schema.type) ? (schema.type as string[]).map((type): JsonSchema => ({ type })) : (schema.anyOf ?? schema.oneOf);
    if (!Array.isArray(listed)) return { schema, nullable: schema.nullable === true, variants: [] };
    const resolved = listed.map((each) => resolve(each, schemas));
    const variants = resolved.filter((each) => !isNull(each));
    const nullable = schema.nullable === true || variants.length < resolved.length;
    const { anyOf: _any, oneOf: _one, type: _type, ...rest } = schema;
    const [only] = variants;
    if (variants.length === 1 && only) return { schema: { ...only, ...rest }, nullable, variants: [] };
    return { schema: rest, nullable, variants };
}

function kindOf(schema: JsonSchema): FieldKind {
    if (Array.isArray(schema.enum) || "const" in schema) return "choice";
    if (schema.type === "string") {
        if (schema.format === "uri") return "file";
        return schema.format === "password" || schema["x-cog-secret"] === true ? "secret" : "text";
    }
    if (schema.type === "number" || schema.type === "integer" || schema.type === "boolean") return schema.type;
    return schema.type === "array" && schema.items ? "list" : "json";
}

function numberIn(...values: unknown[]): number | undefined {
    return values.find((value): value is number => typeof value === "number" && Number.isFinite(value));
}

/** minimum and the like; `ge` and `le` are what some old versions of Cog wrote. */
function limitsOf(schema: JsonSchema): Partial<InputField> {
    const { exclusiveMinimum, exclusiveMaximum } = schema;
    const minimum = numberIn(schema.minimum, schema["ge"]);
    const maximum = numberIn(schema.maximum, schema["le"]);
    return {
        ...(exclusiveMinimum === true ? { above: minimum } : { minimum, above: numberIn(exclusiveMinimum, schema["gt"]) }),
        ...(exclusiveMaximum === true ? { below: maximum } : { maximum, below: numberIn(exclusiveMaximum, schema["lt"]) }),
        multipleOf: numberIn(schema["multipleOf"]),
        minLength: numberIn(schema.minLength),
        maxLength: numberIn(schema.maxLength),
        pattern: typeof schema.pattern === "string" ? schema.pattern : undefined,
        minItems: numberIn(schema["minItems"]),
        maxItems: numberIn(schema["maxItems"]),
    };
}

/** The named kind of file, else what the input's own words say. */
function acceptOf(name: string, schema: JsonSchema): string | undefined {
    if (typeof schema["x-cog-accept"] === "string") return schema["x-cog-accept"];
    if (typeof schema["contentMediaType"] === "string") return schema["contentMediaType"];
    if (/image|mask|picture|photo|img/i.test(name)) return "image/*";
    if (/video/i.test(name)) return "video/*";
    return /audio|song|voice|speaker/i.test(name) ? "audio/*" : undefined;
}

function titleOf(name: string, schema: JsonSchema): string {
    if (typeof schema.title === "string" && schema.title && schema.title !== name) return schema.title.replaceAll("_", " ");
    const words = name.replaceAll("_", " ").trim();
    return words ? words.charAt(0).toUpperCase() + words.slice(1) : name;
}

/** How deep lists and unions may nest before the rest is edited as JSON. */
const NESTED_MAX = 2;

function nestedOf(name: string, given: JsonSchema, schemas: Schemas, depth: number): InputField {
    return fieldOf(name, given, schemas, false, depth + 1);
}

/** A list of simple things has a row for each; a list of lists or objects is JSON. */
function listParts(name: string, schema: JsonSchema, schemas: Schemas, depth: number): Partial<InputField> {
    const item = depth < NESTED_MAX && schema.items ? nestedOf(name, schema.items, schemas, depth) : undefined;
    if (!item || item.kind === "list" || item.kind === "json" || item.kind === "union") return { kind: "json", json_type: "array" };
    return { item };
}

function variantParts(name: string, variants: JsonSchema[], schemas: Schemas, depth: number): Partial<InputField> {
    if (depth >= NESTED_MAX) return { kind: "json", json_type: undefined };
    return { kind: "union", json_type: undefined, variants: variants.map((each) => nestedOf(name, each, schemas, depth)) };
}

function fieldOf(name: string, given: JsonSchema, schemas: Schemas, required: boolean, depth = 0): InputField {
    const { schema, nullable, variants } = shapeOf(given, schemas);
    const kind = kindOf(schema);
    const value = schema.default;
    const field: InputField = {
        name,
        title: titleOf(name, schema),
        description: typeof schema.description === "string" ? schema.description.trim() : "",
        kind,
        required: required && (value === undefined || value === null),
        nullable,
        deprecated: schema.deprecated === true,
        schema,
        ...limitsOf(schema),
    };
    if (value !== undefined && value !== null) field.default = value;
    if (kind === "choice") field.choices = "const" in schema ? [schema["const"] as Json] : (schema.enum ?? []).filter((each) => each !== null);
    if (kind === "text") field.long = LONG_NAMES.test(name) || (typeof value === "string" && (value.length > 60 || value.includes("\n"))) || schema["x-cog-multiline"] === true;
    if (kind === "file") field.accept = acceptOf(name, schema);
    if (kind === "json") field.json_type = schema.type === "object" || schema.type === "array" ? schema.type : undefined;
    if (kind === "list") Object.assign(field, listParts(name, schema, schemas, depth));
    if (variants.length > 0) Object.assign(field, variantParts(name, variants, schemas, depth));
    return field;
}

function orderOf(schema: JsonSchema): number {
    return numberIn(schema["x-order"]) ?? Number.MAX_SAFE_INTEGER;
}

/** The inputs of a version, in the order its author gave them. Empty when the schema has none or is broken. */
export function parseInput(openapi: OpenApi | null | undefined): InputField[] {
    const schemas = openapi?.components?.schemas ?? {};
    const input = Object.hasOwn(schemas, "Input") && schemas["Input"] ? resolve(schemas["Input"], schemas) : {};
    if (typeof input.properties !== "object" || input.properties === null) return [];
    const required = new Set(Array.isArray(input.required) ? input.required : []);
    return Object.entries(input.properties)
        .filter(([, schema]) => typeof schema === "object" && schema !== null)
        .slice(0, FIELDS_MAX)
        .map(([name, schema], index) => ({ field: fieldOf(name, schema, schemas, required.has(name)), order: orderOf(schema), index }))
        .sort((one, other) => one.order - other.order || one.index - other.index)
        .map(({ field }, place) => (place === 0 && field.kind === "file" ? { ...field, first: true } : field));
}

/** The schema of what a version gives back, resolved; null when it does not say. */
export function outputSchema(openapi: OpenApi | null | undefined): JsonSchema | null {
    const schemas = openapi?.components?.schemas ?? {};
    const output = Object.hasOwn(schemas, "Output") ? schemas["Output"] : undefined;
    return output ? resolve(output, schemas) : null;
}
