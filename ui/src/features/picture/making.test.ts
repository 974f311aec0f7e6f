// Reading a picture's making: PNG, JPEG and WebP files built here, whole, broken and hostile.
import { Blob as WholeBlob } from "node:buffer"; // jsdom's has no arrayBuffer()
import { describe, expect, it } from "vitest";
import { parseMaking, readMaking } from "./making";

const MAKING = { model: "stability-ai/sdxl", version: "7762fd07cf82", prediction: "abc123", input: { prompt: "ein Löwe, 狮子", steps: 20 }, seed: 42 };
const text = (value: string) => [...new TextEncoder().encode(value)];
const big32 = (value: number) => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const little32 = (value: number) => big32(value).reverse();
const file = (...parts: number[][]) => new WholeBlob([Uint8Array.from(parts.flat())]) as unknown as Blob;
const read = (...parts: number[][]) => readMaking(file(...parts));

const PNG = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10];
const chunk = (kind: string, data: number[], length = data.length) => [...big32(length), ...text(kind), ...data, 0, 0, 0, 0];
const HEAD = chunk("IHDR", Array(13).fill(0) as number[]);
const END = chunk("IEND", []);
const itxt = (json: string, keyword = "mimeo", compressed = 0) => chunk("iTXt", [...text(keyword), 0, compressed, 0, ...text("en"), 0, ...text("Entstehung"), 0, ...text(json)]);

const escaped = (json: string) => json.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
const packet = (json: string) =>
    `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:mimeo="urn:mimeo" mimeo:making="${escaped(json)}"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`;
const element = (json: string) => `<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="urn:r" xmlns:mimeo="urn:mimeo"><mimeo:making>${escaped(json)}</mimeo:making></r:RDF></x:xmpmeta>`;
const segment = (marker: number, data: number[], length = data.length + 2) => [0xff, marker, length >> 8, length & 255, ...data];
const xmp = (xml: string) => segment(0xe1, [...text("http://ns.adobe.com/xap/1.0/\0"), ...text(xml)]);
const JPEG_END = [0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9];
const riff = (...chunks: number[][]) => [...text("RIFF"), ...little32(4 + chunks.flat().length), ...text("WEBP"), ...chunks.flat()];
const part = (kind: string, data: number[], length = data.length) => [...text(kind), ...little32(length), ...data, ...(data.length % 2 ? [0] : [])];

describe("readMaking finds what the server wrote", () => {
    it("in PNG, among other chunks, in UTF-8", async () => {
        expect(await read(PNG, HEAD, chunk("tEXt", text("Comment\0hello")), itxt(JSON.stringify(MAKING)), chunk("IDAT", [1, 2, 3]), END)).toEqual(MAKING);
        expect(await read(PNG, HEAD, chunk("IDAT", [1, 2, 3]), itxt(JSON.stringify(MAKING)), END)).toEqual(MAKING);
    });
    it("in a plain PNG text chunk", async () => {
        expect(await read(PNG, HEAD, chunk("tEXt", text(`mimeo\0${JSON.stringify({ ...MAKING, input: {} })}`)), END)).toEqual({ ...MAKING, input: {} });
    });
    it("in JPEG, as attribute and as element, after another program's segments", async () => {
        const exif = segment(0xe1, text("Exif\0\0MM"));
        expect(await read([0xff, 0xd8], segment(0xe0, text("JFIF\0")), exif, xmp(packet(JSON.stringify(MAKING))), JPEG_END)).toEqual(MAKING);
        expect(await read([0xff, 0xd8], [0xff], xmp(element(JSON.stringify(MAKING))), JPEG_END)).toEqual(MAKING);
    });
    it("in WebP, after a chunk of odd length", async () => {
        expect(await read(riff(part("VP8X", [1, 2, 3]), part("XMP ", text(packet(JSON.stringify(MAKING))))))).toEqual(MAKING);
    });
});

describe("readMaking says nothing about", () => {
    const nothing = async (...parts: number[][]) => expect(await read(...parts)).toBeNull();
    it("files that are no such pictures or have no making", async () => {
        await nothing([]);
        await nothing(text("a text that is long enough to be looked at"));
        await nothing(PNG, HEAD, END, [0, 0, 0]);
        await nothing([0xff, 0xd8], JPEG_END, Array(16).fill(0) as number[]);
        await nothing(PNG, HEAD, itxt(JSON.stringify(MAKING), "other"), END);
        await nothing(PNG, HEAD, itxt(JSON.stringify(MAKING), "mimeo", 1), END);
    });
    it("lengths that reach beyond the file, or wrap", async () => {
        await nothing(PNG, chunk("iTXt", text("mimeo\0\0\0\0\0{}"), 0xffffffff), END);
        await nothing(PNG, chunk("iTXt", text("mimeo\0\0\0\0\0{}"), 0x7fffffff), END);
        await nothing([0xff, 0xd8], segment(0xe1, text("http://ns.adobe.com/xap/1.0/\0"), 0xffff), Array(16).fill(0) as number[]);
        await nothing([0xff, 0xd8], segment(0xe1, [], 0), Array(32).fill(0) as number[]);
        await nothing(riff(part("XMP ", text("<x/>"), 0xffffffff)), Array(16).fill(0) as number[]);
    });
    it("texts that end before they should", async () => {
        await nothing(PNG, HEAD, chunk("iTXt", text("mimeo\0")), END);
        await nothing(PNG, HEAD, chunk("iTXt", text("mimeo\0\0\0no zero after the language")), END);
    });
    it("a text chunk that is too large", async () => {
        await nothing(PNG, HEAD, itxt(JSON.stringify({ ...MAKING, input: { prompt: "x".repeat(300_000) } })), END);
    });
    it("thousands of chunks without one", async () => {
        await nothing(PNG, HEAD, ...Array.from({ length: 3000 }, () => chunk("IDAT", [])), END);
    });
    it("XMP that brings entities or is no XML", async () => {
        const bomb = `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>${element(JSON.stringify(MAKING))}`;
        await nothing([0xff, 0xd8], xmp(bomb), JPEG_END);
        await nothing([0xff, 0xd8], xmp("<x:xmpmeta <<<"), JPEG_END);
    });
});

describe("parseMaking", () => {
    const of = (change: object) => parseMaking(JSON.stringify({ ...MAKING, ...change }));
    it("takes nothing that has not the shape", () => {
        for (const bad of ["", "nothing", "null", "[]", "7", '"text"']) expect(parseMaking(bad)).toBeNull();
        expect(of({ model: "javascript:alert(1)" })).toBeNull();
        expect(of({ model: "a/b/c" })).toBeNull();
        expect(of({ model: "../admin" })).not.toEqual(MAKING);
        expect(of({ version: "x?y=z" })).toBeNull();
        expect(of({ input: [1] })).toBeNull();
        expect(of({ input: null })).toBeNull();
    });
    it("drops a prediction or seed that is none", () => {
        expect(of({ prediction: "../../x", seed: 1.5 })).toEqual({ model: MAKING.model, version: MAKING.version, input: MAKING.input });
        expect(of({ seed: "42" })?.seed).toBeUndefined();
    });
    it("does not let an input change what objects are", () => {
        const making = parseMaking('{"model":"a/b","version":"1","input":{"__proto__":{"polluted":true}}}');
        expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
        expect(making?.input["polluted"]).toBeUndefined();
    });
});
