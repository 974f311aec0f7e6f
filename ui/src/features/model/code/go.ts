// A sample for Go, with github.com/replicate/replicate-go.
import { goString, indented, isLocalFile, type SampleValue } from "@/features/model/code/quote";
import { TOKEN_VARIABLE, type SampleRequest } from "@/features/model/code/request";

const INT_MOST = 2 ** 63; // an untyped constant beyond it does not fit Go's int

function literal(value: SampleValue, files: string[]): string {
    if (isLocalFile(value)) return `files[${files.push(value.file) - 1}].URLs["get"]`;
    if (value === null) return "nil";
    if (typeof value === "string") return goString(value);
    if (typeof value === "number") return Math.abs(value) >= INT_MOST ? `float64(${value})` : String(value);
    if (typeof value === "boolean") return String(value);
    if (Array.isArray(value)) return `[]any{${(value as SampleValue[]).map((each) => literal(each, files)).join(", ")}}`;
    return `map[string]any${fieldsOf(value as Record<string, SampleValue>, files)}`;
}

function fieldsOf(value: Record<string, SampleValue>, files: string[]): string {
    const entries = Object.entries(value);
    if (entries.length === 0) return "{}";
    return `{\n${entries.map(([name, each]) => `\t${goString(name)}: ${indented(literal(each, files), "\t")},`).join("\n")}\n}`;
}

function upload(files: string[]): string[] {
    if (files.length === 0) return [];
    return [
        "\tvar files []*replicate.File",
        `\tfor _, path := range []string{${files.map(goString).join(", ")}} {`,
        "\t\tfile, err := client.CreateFileFromPath(ctx, path, nil)",
        "\t\tif err != nil {",
        "\t\t\tlog.Fatal(err)",
        "\t\t}",
        "\t\tfiles = append(files, file)",
        "\t}",
    ];
}

export function goSample(request: SampleRequest): string {
    const files: string[] = [];
    const input = fieldsOf(request.input, files);
    return [
        "package main",
        "",
        "import (",
        '\t"context"',
        '\t"fmt"',
        '\t"log"',
        '\t"os"',
        "",
        '\t"github.com/replicate/replicate-go"',
        ")",
        "",
        "func main() {",
        "\tctx := context.Background()",
        "\tclient, err := replicate.NewClient(",
        `\t\treplicate.WithToken(os.Getenv("${TOKEN_VARIABLE}")),`,
        `\t\treplicate.WithBaseURL(${goString(`${request.origin}/v1`)}),`,
        "\t)",
        "\tif err != nil {",
        "\t\tlog.Fatal(err)",
        "\t}",
        ...upload(files),
        `\tinput := replicate.PredictionInput${indented(input, "\t")}`,
        `\toutput, err := client.Run(ctx, ${goString(`${request.model}:${request.version}`)}, input, nil)`,
        "\tif err != nil {",
        "\t\tlog.Fatal(err)",
        "\t}",
        "\tfmt.Println(output)",
        "}",
    ].join("\n");
}
