// Samples for a shell: curl against the API, the gateway's form of it, and a function by its short name.
import type { Json } from "@/api/types";
import { isLocalFile, json, shell, type SampleValue } from "@/features/model/code/quote";
import { TOKEN_VARIABLE, type SampleRequest } from "@/features/model/code/request";

const HEADERS = [`  -H "Authorization: Bearer $${TOKEN_VARIABLE}" \\`, '  -H "Content-Type: application/json" \\', '  -H "Prefer: wait" \\'];

function hasFiles(value: SampleValue): boolean {
    return isLocalFile(value) || (Array.isArray(value) && (value as SampleValue[]).some(hasFiles));
}

/** Puts a mark where a file's bytes go. */
function withMarks(value: SampleValue, mark: string, files: string[]): Json {
    if (isLocalFile(value)) return `${mark}${files.push(value.file) - 1};`;
    return Array.isArray(value) ? value.map((each) => withMarks(each as SampleValue, mark, files)) : (value as Json);
}

/** A mark that the input itself does not hold. */
function freeMark(input: Record<string, SampleValue>): string {
    const text = JSON.stringify(input);
    let mark = "FILE";
    while (text.includes(mark)) mark += "_";
    return mark;
}

const MEDIA: Record<string, string> = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", webp: "image/webp", gif: "image/gif", avif: "image/avif", mp4: "video/mp4", wav: "audio/wav", mp3: "audio/mpeg", txt: "text/plain" };

function mediaOf(name: string): string {
    return MEDIA[/\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ""] ?? "application/octet-stream";
}

/** The body as an argument; with files as a here-document, which has no limit of length: their bytes are put in by the shell. */
function bodyOf(body: Record<string, SampleValue | Record<string, SampleValue>>): string {
    const input = body["input"] as Record<string, SampleValue>;
    if (!Object.values(input).some(hasFiles)) return `  -d ${shell(json(body as Json))}`;
    const files: string[] = [];
    const mark = freeMark(input);
    const marked = { ...body, input: Object.fromEntries(Object.entries(input).map(([name, value]) => [name, withMarks(value, mark, files)])) };
    const text = json(marked as Json).replace(/[\\$`]/g, "\\$&");
    const filled = text.replace(new RegExp(`${mark}(\\d+);`, "g"), (_mark, index: string) => {
        const name = files[Number(index)] ?? "";
        return `data:${mediaOf(name)};base64,$(base64 < ${shell(name, true)} | tr -d '\\n')`;
    });
    return `  --data-binary @- <<JSON\n${filled}\nJSON`;
}

function post(url: string, body: Record<string, SampleValue | Record<string, SampleValue>>): string {
    return [`curl -s ${shell(url)} \\`, ...HEADERS, bodyOf(body)].join("\n");
}

export function curlSample(request: SampleRequest): string {
    if (request.byName) return post(`${request.origin}/v1/models/${request.model}/predictions`, { input: request.input });
    return post(`${request.origin}/v1/predictions`, { version: request.version, input: request.input });
}

/** As a gateway has it: Replicate's API under /replicate, the model in the path. */
export function gatewaySample(request: SampleRequest): string {
    return post(`${request.origin}/replicate/v1/models/${request.model}/predictions`, { input: request.input });
}

/** -F name=value; a value that begins with @ or < would be a file, so text has --form-string. */
function formLine(name: string, value: SampleValue): string {
    if (isLocalFile(value)) return `  -F ${shell(`${name}=@"${value.file.replace(/[\\"]/g, "\\$&")}"`)}`;
    return `  --form-string ${shell(`${name}=${typeof value === "string" ? value : json(value as Json, 0)}`)}`;
}

/** A function answers with its output at once: as a form where files are given, else as JSON. */
export function functionSample(request: SampleRequest): string | null {
    if (!request.function) return null;
    const lines = [`curl -s ${shell(`${request.origin}/api/${request.function}`)} \\`, `  -H "Authorization: Bearer $${TOKEN_VARIABLE}" \\`];
    const input = Object.entries(request.input);
    if (input.some(([, value]) => isLocalFile(value))) {
        lines.push('  -H "Accept: image/*" \\', ...input.map(([name, value]) => `${formLine(name, value)} \\`), "  -o output.png");
        return lines.join("\n");
    }
    return [...lines, '  -H "Content-Type: application/json" \\', `  -d ${shell(json(request.input as Json))}`].join("\n");
}
