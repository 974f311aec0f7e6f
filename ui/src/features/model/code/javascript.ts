// A sample for JavaScript, with the npm package "replicate".
import type { Json } from "@/api/types";
import { indented, isLocalFile, quoted, type SampleValue } from "@/features/model/code/quote";
import { identifierOf, TOKEN_VARIABLE, type SampleRequest } from "@/features/model/code/request";

/** A key of an object literal; __proto__ unbracketed would set the prototype. */
function keyOf(name: string): string {
    if (name === "__proto__") return `[${quoted(name)}]`;
    return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name);
}

function literal(value: SampleValue): string {
    if (isLocalFile(value)) return `await readFile(${quoted(value.file)})`;
    if (typeof value === "string") return quoted(value);
    if (Array.isArray(value)) return `[${(value as SampleValue[]).map(literal).join(", ")}]`;
    if (typeof value === "object" && value !== null) return objectOf(value as Record<string, Json>);
    return JSON.stringify(value);
}

function objectOf(value: Record<string, SampleValue>): string {
    const entries = Object.entries(value);
    if (entries.length === 0) return "{}";
    return `{\n${entries.map(([name, each]) => `  ${keyOf(name)}: ${indented(literal(each), "  ")},`).join("\n")}\n}`;
}

// A file of the output is a link or a data URL: fetch() takes both.
const WRITE = [
    "for (const [index, file] of [output].flat().entries()) {",
    "  const response = await fetch(String(file));",
    "  await writeFile(`output-${index}`, Buffer.from(await response.arrayBuffer()));",
    "}",
];

export function javascriptSample(request: SampleRequest): string {
    const input = objectOf(request.input);
    const names = [...(input.includes("await readFile(") ? ["readFile"] : []), ...(request.files ? ["writeFile"] : [])];
    return [
        'import Replicate from "replicate";',
        ...(names.length > 0 ? [`import { ${names.join(", ")} } from "node:fs/promises";`] : []),
        "",
        "const replicate = new Replicate({",
        `  auth: process.env.${TOKEN_VARIABLE},`,
        `  baseUrl: ${quoted(`${request.origin}/v1`)},`,
        "});",
        "",
        `const input = ${input};`,
        `const output = await replicate.run(${quoted(identifierOf(request))}, { input });`,
        ...(request.files ? WRITE : ["console.log(output);"]),
    ].join("\n");
}
