// Code samples with nasty inputs. Each is run by the language it is in (Go has no compiler here: its literals are read instead), with
// stand-ins for curl and the client libraries that give back what they were asked for: that must be the input, exactly.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Json } from "@/api/types";
import { cString, goString, localFile, quoted, shell } from "@/features/model/code/quote";
import type { SampleRequest } from "@/features/model/code/request";
import { sampleInput, samplesOf, type SampleKind } from "@/features/model/code/samples";

const CLIENT = join(dirname(fileURLToPath(import.meta.url)), "../../../../../client");
const VERSION = "5ecc270b34e9d8e1f007d9dbd3c724f0badf638f05ffaa0c5e0634ed64d3d378";
const NASTY: Record<string, Json> = {
    quotes: `it's "so" \`called\` '''`,
    shell: "$HOME ${PATH} $(id) `id` !! ~ * ; && | > /dev/null # \\",
    backslashes: "\\ \\\\ \\n \\' \\\" \\u0041 \\x41 \\101",
    lines: "one\ntwo\r\nthree\tfour\n",
    delimiters: "JSON\nEOF\n$JSON\n*/ // </script> <!-- FILE0; FILE_0;",
    trigraphs: "??/ ??= ??' ???? ?",
    formats: "%s %n %% {0} {x} ${x} #{x}",
    form: "@/etc/passwd",
    unicode: "naïve 日本 🦊 \u2028\u2029 \u202e\u2066 \ufeff \u00ad é e\u0301",
    controls: "\u0001\u0007\u0008\u000c\u001b[31m\u007f\u0085",
    empty: "",
    yes: true,
    no: false,
    nothing: null,
    zero: 0,
    negative: -42,
    fraction: 0.1,
    tiny: 1e-7,
    large: 123456789012345,
    huge: 1e21,
    list: ["a'b", 'c"d', "$e", 1, 2.5, true, null],
    object: { "a b": { "c'd": ["\n", "\\"] }, __proto_: 1 },
    [`key'"$\\ \n`]: "a key like no other",
};

let folder = "";

function request(input: SampleRequest["input"], more: Partial<SampleRequest> = {}): SampleRequest {
    return { origin: "http://127.0.0.1:8080", model: "acme/cat-eye", version: VERSION, byName: false, files: false, function: "cats", input, ...more };
}

function codeOf(kind: SampleKind, asked: SampleRequest): string {
    const found = samplesOf(asked).find((sample) => sample.kind === kind);
    if (!found) throw new Error(`no sample ${kind}`);
    return found.code;
}

function run(command: string, args: string[], input?: string): string {
    return execFileSync(command, args, { cwd: folder, input, stdio: "pipe", encoding: "utf8", env: { ...process.env, MIMEO_TOKEN: "r8_secret", PYTHONPATH: folder, PYTHONIOENCODING: "utf-8" } });
}

/** The arguments curl gets, and what comes in on standard input when it is asked to read that. */
function curl(code: string): { args: string[]; body: string } {
    const stand_in = `curl() { printf '%s\\0' "$@" > args; case " $* " in *" @- "*) cat > body;; *) : > body;; esac; }\n`;
    writeFileSync(join(folder, "sample.sh"), stand_in + code);
    run("bash", ["sample.sh"]);
    const args = execFileSync("cat", [join(folder, "args")], { encoding: "utf8" }).split("\0").slice(0, -1);
    const at = args.indexOf("-d");
    return { args, body: at >= 0 ? (args[at + 1] ?? "") : execFileSync("cat", [join(folder, "body")], { encoding: "utf8" }) };
}

beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "mimeo-samples-"));
    mkdirSync(join(folder, "node_modules/replicate"), { recursive: true });
    writeFileSync(join(folder, "node_modules/replicate/package.json"), '{"name":"replicate","type":"module","main":"index.js"}');
    writeFileSync(
        join(folder, "node_modules/replicate/index.js"),
        "export default class { constructor(o) { this.o = o; } run(id, { input }) { if (input.answer) return input.answer; return JSON.stringify({ options: this.o, id, input: Object.fromEntries(Object.entries(input).map(([k, v]) => [k, Buffer.isBuffer(v) ? 'bytes:' + v : v])) }); } }",
    );
    const python = ["import json", "class Client:", "    def __init__(self, **options): self.options = options", "    def run(self, id, input):", "        if 'answer' in input: return input['answer']", "        plain = {k: 'bytes:' + v.read().decode() if hasattr(v, 'read') else v for k, v in input.items()}", "        return json.dumps({'options': self.options, 'id': id, 'input': plain})"];
    writeFileSync(join(folder, "replicate.py"), python.join("\n"));
    const c = [
        '#include "mimeo.h"',
        "#include <stdio.h>",
        "#include <stdlib.h>",
        "struct mimeo_client { int unused; };",
        "struct mimeo_client *mimeo_client_new(const char *url, const char *token, struct mimeo_error *error) { (void)error; fprintf(stderr, \"%s %s\", url, token); return calloc(1, sizeof(struct mimeo_client)); }",
        "void mimeo_client_free(struct mimeo_client *client) { free(client); }",
        'bool mimeo_prediction_create(struct mimeo_client *client, const struct mimeo_prediction_options *o, json_t **ret, struct mimeo_error *error) { (void)client; (void)error; json_t *answer = json_object_get(o->input, "answer"); *ret = answer ? json_pack("{s:O}", "output", answer) : json_pack("{s:{s:s*, s:s*, s:O}}", "output", "version", o->version, "model", o->model, "input", o->input); return true; }',
        'bool mimeo_output_download(struct mimeo_client *client, const char *url, const char *path, struct mimeo_error *error) { (void)client; (void)error; printf("%s %s\\n", path, url); return true; }',
        'bool mimeo_file_upload(struct mimeo_client *client, const char *path, const char *type, json_t **ret, struct mimeo_error *error) { (void)client; (void)error; (void)type; *ret = json_pack("{s:{s:s+}}", "urls", "get", "uploaded:", path); return true; }',
    ];
    writeFileSync(join(folder, "stand_in.c"), c.join("\n"));
    writeFileSync(join(folder, "it's $HOME \"cat\".png"), "meow");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FILE = localFile("it's $HOME \"cat\".png");

describe("samples mean exactly the input", () => {
    it("curl", () => {
        const { args, body } = curl(codeOf("curl", request(NASTY)));
        expect(JSON.parse(body)).toEqual({ version: VERSION, input: NASTY });
        expect(args).toContain("Authorization: Bearer r8_secret");
        expect(args[1]).toBe("http://127.0.0.1:8080/v1/predictions");
    });

    it("curl with a file, whose bytes the shell puts in", () => {
        const { body } = curl(codeOf("curl", request({ ...NASTY, image: FILE })));
        expect(JSON.parse(body)).toEqual({ version: VERSION, input: { ...NASTY, image: `data:image/png;base64,${btoa("meow")}` } });
    });

    it("curl for an official model, and the gateway's form", () => {
        expect(curl(codeOf("curl", request(NASTY, { byName: true }))).args[1]).toBe("http://127.0.0.1:8080/v1/models/acme/cat-eye/predictions");
        const { args, body } = curl(codeOf("gateway", request(NASTY)));
        expect(args[1]).toBe("http://127.0.0.1:8080/replicate/v1/models/acme/cat-eye/predictions");
        expect(JSON.parse(body)).toEqual({ input: NASTY });
    });

    it("a function: JSON, or a form where a file is given", () => {
        expect(JSON.parse(curl(codeOf("function", request(NASTY))).body)).toEqual(NASTY);
        const { args } = curl(codeOf("function", request({ text: NASTY["form"] ?? "", scale: 2, image: FILE })));
        expect(args).toEqual(expect.arrayContaining(["text=@/etc/passwd", "scale=2", 'image=@"it\'s $HOME \\"cat\\".png"']));
        expect(samplesOf(request(NASTY, { function: null })).map((sample) => sample.kind)).not.toContain("function");
    });

    it("JavaScript", () => {
        writeFileSync(join(folder, "sample.mjs"), codeOf("javascript", request({ ...NASTY, image: FILE })));
        const said = JSON.parse(run("node", ["sample.mjs"])) as { options: unknown; id: string; input: unknown };
        expect(said.input).toEqual({ ...NASTY, image: "bytes:meow" });
        expect(said).toMatchObject({ id: `acme/cat-eye:${VERSION}`, options: { auth: "r8_secret", baseUrl: "http://127.0.0.1:8080/v1" } });
    });

    it("JavaScript keeps a key called __proto__ a key", () => {
        const input = JSON.parse('{"__proto__": {"polluted": true}, "x": 1}') as Record<string, Json>;
        expect(codeOf("javascript", request(input))).toContain('["__proto__"]: {');
    });

    it("Python", () => {
        writeFileSync(join(folder, "sample.py"), codeOf("python", request({ ...NASTY, image: FILE })));
        const said = JSON.parse(run("python3", ["sample.py"])) as { options: unknown; input: unknown };
        expect(said.input).toEqual({ ...NASTY, image: "bytes:meow" });
        expect(said.options).toEqual({ api_token: "r8_secret", base_url: "http://127.0.0.1:8080" });
    });

    it("C, with the real header", () => {
        writeFileSync(join(folder, "sample.c"), codeOf("c", request({ ...NASTY, image: FILE, images: [FILE, "https://example.com/a.png"] })));
        run("cc", ["-std=c17", "-Wall", "-Werror", `-I${CLIENT}`, "sample.c", "stand_in.c", "-ljansson", "-o", "sample"]);
        const said = JSON.parse(run("./sample", [])) as { input: unknown; version: string };
        expect(said.version).toBe(VERSION);
        expect(said.input).toEqual({ ...NASTY, image: `uploaded:${FILE.file}`, images: [`uploaded:${FILE.file}`, "https://example.com/a.png"] });
    });

    it("Go: every literal is one that Go reads as the same text", () => {
        const code = codeOf("go", request({ ...NASTY, image: FILE }));
        for (const [name, value] of Object.entries(NASTY)) if (typeof value === "string") expect(code).toContain(`\t\t${goString(name)}: ${goString(value)},`);
        expect(code).toContain('"huge": float64(1e+21),');
        expect(code).toContain('"image": files[0].URLs["get"],');
        expect(code).toContain(`range []string{"it's $HOME \\"cat\\".png"}`);
    });
});

describe("outputs that are files", () => {
    const pictures = ["data:text/plain,one", "data:text/plain;base64,dHdv"];

    for (const [kind, command, file] of [["javascript", "node", "files.mjs"], ["python", "python3", "files.py"]] as const)
        it(`are written to the disk: ${kind}`, () => {
            for (const answer of [pictures, pictures[0]!]) {
                for (const old of ["output-0", "output-1"]) rmSync(join(folder, old), { force: true });
                writeFileSync(join(folder, file), codeOf(kind, request({ answer }, { files: true })));
                run(command, [file]);
                expect(readFileSync(join(folder, "output-0"), "utf8")).toBe("one");
                expect(existsSync(join(folder, "output-1"))).toBe(Array.isArray(answer));
                if (Array.isArray(answer)) expect(readFileSync(join(folder, "output-1"), "utf8")).toBe("two");
            }
        });

    it("are written to the disk: C", () => {
        for (const answer of [pictures, pictures[0]!]) {
            writeFileSync(join(folder, "files.c"), codeOf("c", request({ answer }, { files: true })));
            run("cc", ["-std=c17", "-Wall", "-Werror", `-I${CLIENT}`, "files.c", "stand_in.c", "-ljansson", "-o", "files"]);
            const written = [answer].flat().map((link, index) => `output-${index} ${link}\n`);
            expect(run("./files", [])).toBe(written.join(""));
        }
    });
});

describe("literals", () => {
    it("show what is hidden", () => {
        for (const hidden of ["\u202e", "\u2066", "\ufeff", "\u200b", "\u2028", "\u0085"]) for (const literal of [quoted, goString, shell, cString]) expect(literal(`a${hidden}b`)).not.toContain(hidden);
    });

    it("of Go have no halves of pairs, and nothing JSON would not read the same way", () => {
        expect(goString("a\ud800b")).toBe('"a\ufffdb"');
        for (const value of Object.values(NASTY)) if (typeof value === "string") expect(JSON.parse(goString(value))).toBe(value);
    });

    it("of C hold no trigraph", () => {
        expect(cString("what??/?")).toBe('"what?\\?/?"');
        expect(cString("é1")).toBe('"\\303\\2511"');
    });
});

it("files of a form become files of a sample", () => {
    const file = new File(["x"], "cat.png", { type: "image/png" });
    expect(codeOf("python", request(sampleInput({ image: file, images: [file, "https://example.com/b.png"] })))).toContain('"images": [open("cat.png", "rb"), "https://example.com/b.png"],');
});
