// The command that calls a deployment, and an input to begin with. Pure.
import type { Json, JsonSchema, Model, OpenApi } from "@/api/types";

/** For a POSIX shell: within single quotes only the single quote is special. */
export function shellQuoted(text: string): string {
    return `'${text.replaceAll("'", "'\\''")}'`;
}

function valueFor(field: JsonSchema): Json {
    if (field.default !== undefined) return field.default;
    if (field.enum?.length) return field.enum[0]!;
    if (field.type === "integer" || field.type === "number") return field.minimum ?? 1;
    if (field.type === "boolean") return false;
    if (field.type === "array") return [];
    return field.format === "uri" ? "https://example.com/picture.jpg" : "…";
}

/** What must be given, each with something of its kind. */
export function requiredInput(openapi: OpenApi | undefined): Record<string, Json> {
    const schema = openapi?.components?.schemas?.["Input"];
    const input: Record<string, Json> = {};
    for (const name of schema?.required ?? []) input[name] = valueFor(schema?.properties?.[name] ?? {});
    return input;
}

/** The model's own example, if it has one, else what it cannot do without. */
export function exampleInput(model: Model | undefined): Record<string, Json> {
    return model?.default_example?.input ?? requiredInput(model?.latest_version?.openapi_schema);
}

export function curlCommand(origin: string, owner: string, name: string, input: Record<string, Json>): string {
    return [
        `curl -s ${origin}/v1/deployments/${encodeURIComponent(owner)}/${encodeURIComponent(name)}/predictions \\`,
        '  -H "Authorization: Bearer $MIMEO_TOKEN" \\',
        '  -H "Content-Type: application/json" -H "Prefer: wait" \\',
        `  -d ${shellQuoted(JSON.stringify({ input }, null, 2))}`,
    ].join("\n");
}
