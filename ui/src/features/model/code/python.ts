// A sample for Python, with the package "replicate".
import { indented, isLocalFile, quoted, type SampleValue } from "@/features/model/code/quote";
import { identifierOf, TOKEN_VARIABLE, type SampleRequest } from "@/features/model/code/request";

function literal(value: SampleValue): string {
    if (isLocalFile(value)) return `open(${quoted(value.file)}, "rb")`;
    if (value === null) return "None";
    if (typeof value === "boolean") return value ? "True" : "False";
    if (typeof value === "string") return quoted(value);
    if (typeof value === "number") return Object.is(value, -0) ? "-0.0" : String(value);
    if (Array.isArray(value)) return `[${(value as SampleValue[]).map(literal).join(", ")}]`;
    return dictOf(value as Record<string, SampleValue>);
}

function dictOf(value: Record<string, SampleValue>): string {
    const entries = Object.entries(value);
    if (entries.length === 0) return "{}";
    return `{\n${entries.map(([name, each]) => `    ${quoted(name)}: ${indented(literal(each), "    ")},`).join("\n")}\n}`;
}

// A file of the output is a link or a data URL: urlopen() takes both.
const WRITE = [
    "for index, file in enumerate(output if isinstance(output, list) else [output]):",
    '    with open(f"output-{index}", "wb") as target:',
    "        target.write(urlopen(str(file)).read())",
];

export function pythonSample(request: SampleRequest): string {
    return [
        "import os",
        "import replicate",
        ...(request.files ? ["from urllib.request import urlopen"] : []),
        "",
        "client = replicate.Client(",
        `    api_token=os.environ["${TOKEN_VARIABLE}"],`,
        `    base_url=${quoted(request.origin)},`,
        ")",
        "output = client.run(",
        `    ${quoted(identifierOf(request))},`,
        `    input=${indented(dictOf(request.input), "    ")},`,
        ")",
        ...(request.files ? WRITE : ["print(output)"]),
    ].join("\n");
}
