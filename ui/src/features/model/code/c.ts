// A sample for C, with Mimeo's own client library (mimeo.h).
import type { Json } from "@/api/types";
import { cString, isLocalFile, json, type SampleValue } from "@/features/model/code/quote";
import { TOKEN_VARIABLE, type SampleRequest } from "@/features/model/code/request";

const INTEGER_MOST = 2 ** 53;

/** Any JSON at all, as text that the library reads. */
function parsed(value: Json): string {
    return `json_loads(${cString(json(value, 0))}, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)`;
}

function real(value: number): string {
    const text = String(value);
    return /[.e]/.test(text) ? text : `${text}.0`;
}

function literal(value: SampleValue): string {
    if (isLocalFile(value)) return `upload(client, ${cString(value.file)})`;
    if (value === null) return "json_null()";
    if (typeof value === "boolean") return value ? "json_true()" : "json_false()";
    if (typeof value === "number") return Number.isInteger(value) && Math.abs(value) < INTEGER_MOST ? `json_integer(${value})` : `json_real(${real(value)})`;
    // What ends in the middle, or is no whole text, cannot be a C string.
    if (typeof value === "string" && !value.includes("\0")) return `json_string(${cString(value)})`;
    if (Array.isArray(value) && (value as SampleValue[]).some(isLocalFile)) return `json_pack("[${"o".repeat(value.length)}]", ${(value as SampleValue[]).map(literal).join(", ")})`;
    return parsed(value as Json);
}

const UPLOAD = [
    "static json_t *upload(struct mimeo_client *client, const char *path)",
    "{",
    "    struct mimeo_error error;",
    "    json_t *file = NULL;",
    "    if (!mimeo_file_upload(client, path, NULL, &file, &error)) {",
    '        fprintf(stderr, "%s\\n", error.detail);',
    "        exit(1);",
    "    }",
    '    json_t *url = json_incref(json_object_get(json_object_get(file, "urls"), "get"));',
    "    json_decref(file);",
    "    return url;",
    "}",
    "",
];

const DOWNLOAD = [
    "    size_t count = json_is_array(output) ? json_array_size(output) : 1;",
    "    for (size_t index = 0; index < count; index++) {",
    "        const json_t *file = json_is_array(output) ? json_array_get(output, index) : output;",
    "        char path[32];",
    '        snprintf(path, sizeof(path), "output-%zu", index);',
    "        if (!json_is_string(file) || !mimeo_output_download(client, json_string_value(file), path, &error))",
    '            fprintf(stderr, "%s: not written\\n", path);',
    "    }",
];

export function cSample(request: SampleRequest): string {
    const lines = Object.entries(request.input).map(([name, value]) => `    json_object_set_new(input, ${cString(name)}, ${literal(value)});`);
    const target = request.byName ? `.model = ${cString(request.model)}` : `.version = ${cString(request.version)}`;
    return [
        "#include <mimeo.h>",
        "#include <stdio.h>",
        "#include <stdlib.h>",
        "",
        ...(lines.some((line) => line.includes("upload(client, ")) ? UPLOAD : []),
        "int main(void)",
        "{",
        "    struct mimeo_error error;",
        `    struct mimeo_client *client = mimeo_client_new(${cString(request.origin)}, getenv("${TOKEN_VARIABLE}"), &error);`,
        "    if (!client) {",
        '        fprintf(stderr, "%s\\n", error.detail);',
        "        return 1;",
        "    }",
        "    json_t *input = json_object(), *prediction = NULL;",
        ...lines,
        `    struct mimeo_prediction_options options = {${target}, .input = input, .wait_s = 60};`,
        "    if (!mimeo_prediction_create(client, &options, &prediction, &error)) {",
        '        fprintf(stderr, "%s\\n", error.detail);',
        "        return 1;",
        "    }",
        '    json_t *output = json_object_get(prediction, "output");',
        ...(request.files ? DOWNLOAD : ["    json_dumpf(output, stdout, JSON_ENCODE_ANY | JSON_INDENT(2));"]),
        "    json_decref(prediction);",
        "    json_decref(input);",
        "    mimeo_client_free(client);",
        "}",
    ].join("\n");
}
