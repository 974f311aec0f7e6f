// Pictures that say how they were made: what is told, that the picture is the same, and what is left as it is.
import assert from "node:assert/strict";
import { File } from "node:buffer";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deflateSync, inflateSync } from "node:zlib";
import { crc32 } from "./crc32.mjs";
import { Server, build, ended, root, until, versionOf } from "./server.mjs";

let server, replicate, folder;
before(async () => {
    folder = mkdtempSync(join(tmpdir(), "mimeo-pictures-"));
    server = await Server.start({ pictureMetadata: true });
    replicate = server.client();
});
after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
});

const picture = (name) => readFileSync(join(root, "tests/fuzz/corpus/picture_note", name));
const types = { png: "image/png", jpg: "image/jpeg", webp: "image/webp", txt: "text/plain" };

// The bytes that the copying model's output has, given these as its input.
async function copied(bytes, type, on = server) {
    const { json } = await on.call("POST", "/v1/models/test/copy_file/predictions", { body: { input: { image: `data:${type};base64,${bytes.toString("base64")}` } } });
    const prediction = await until(on.client(), json.id, ended);
    assert.equal(prediction.status, "succeeded", prediction.error);
    const answer = await fetch(prediction.output);
    assert.equal(answer.status, 200);
    const output = Buffer.from(await answer.arrayBuffer());
    assert.equal(answer.headers.get("content-length"), String(output.length));
    return { output, id: json.id };
}

const making = (id) => ({ model: "test/copy_file", version: versionOf("copy_file"), prediction: id, input: {} });

// PNG's chunks, each with its checksum looked at.
function chunks(png) {
    const found = [];
    for (let at = 8; at < png.length;) {
        const length = png.readUInt32BE(at), end = at + 12 + length;
        assert.equal(png.readUInt32BE(end - 4), crc32(png.subarray(at + 4, end - 4)) >>> 0, "a chunk's checksum");
        found.push({ type: png.toString("latin1", at + 4, at + 8), data: png.subarray(at + 8, end - 4), whole: png.subarray(at, end) });
        at = end;
    }
    return found;
}
const isNote = ({ type, data }) => type === "iTXt" && data.toString("latin1").startsWith("mimeo\0\0\0\0\0");
const noteOf = (png) => JSON.parse(chunks(png).find(isNote).data.subarray(10).toString("utf8"));
const withoutNote = (png) => Buffer.concat([png.subarray(0, 8), ...chunks(png).filter((chunk) => !isNote(chunk)).map(({ whole }) => whole)]);

const xmpOf = (bytes) => {
    const text = bytes.toString("utf8"), json = text.match(/<mimeo:making>(.*)<\/mimeo:making>/s)[1];
    return JSON.parse(json.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"));
};

const hasVips = spawnSync("vips", ["--version"]).status === 0;
function pixels(bytes, ending) {
    const file = join(folder, `p.${ending}`), raw = join(folder, "p.raw");
    writeFileSync(file, bytes);
    execFileSync("vips", ["rawsave", file, raw], { stdio: "pipe" });
    return readFileSync(raw);
}

for (const name of ["rgb.png", "alpha.png", "palette.png", "rgb.jpg", "turned.jpg", "lossy.webp", "lossless.webp"]) {
    test(`${name} says how it was made, and shows the same`, async (t) => {
        const ending = name.split(".")[1], plain = picture(name);
        const { output, id } = await copied(plain, types[ending]);
        assert.deepEqual(ending === "png" ? noteOf(output) : xmpOf(output), making(id));
        if (ending === "png") assert.deepEqual(withoutNote(output), plain);
        if (ending === "png") assert.deepEqual(chunks(output).slice(0, 2).map(({ type }) => type), ["IHDR", "iTXt"]);
        if (ending === "jpg") {
            const at = output.indexOf("http://ns.adobe.com/xap/1.0/\0") - 4, end = at + 2 + output.readUInt16BE(at + 2);
            assert.equal(output.readUInt16BE(at), 0xffe1);
            assert.deepEqual(Buffer.concat([output.subarray(0, at), output.subarray(end)]), plain);
        }
        if (ending === "webp") {
            assert.equal(output.readUInt32LE(4), output.length - 8);
            assert.equal(output.toString("latin1", 12, 16), "VP8X");
            const kind = name === "lossy.webp" ? "VP8 " : "VP8L", data = (webp) => webp.subarray(webp.indexOf(kind)).subarray(0, 8 + webp.readUInt32LE(webp.indexOf(kind) + 4));
            assert.deepEqual(data(output), data(plain));
        }
        if (!hasVips) return t.diagnostic("vips is not here: pixels were not compared");
        assert.deepEqual(pixels(output, ending), pixels(plain, ending));
    });
}

// A PNG of noise, which does not compress: rows of RGB.
function noise(width, height) {
    const rows = Buffer.alloc(height * (1 + 3 * width));
    for (let i = 0, seed = 1; i < rows.length; i++) rows[i] = i % (1 + 3 * width) === 0 ? 0 : (seed = (seed * 48271) % 2147483647) & 255;
    const chunk = (type, data) => {
        const body = Buffer.concat([Buffer.from(type), data]), whole = Buffer.alloc(body.length + 8);
        whole.writeUInt32BE(data.length, 0);
        body.copy(whole, 4);
        whole.writeUInt32BE(crc32(body) >>> 0, body.length + 4);
        return whole;
    };
    const head = Buffer.alloc(13);
    head.writeUInt32BE(width, 0);
    head.writeUInt32BE(height, 4);
    head.set([8, 2, 0, 0, 0], 8);
    const data = deflateSync(rows, { level: 1 }), parts = [];
    for (let at = 0; at < data.length; at += 8192) parts.push(chunk("IDAT", data.subarray(at, at + 8192)));
    return { rows, png: Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), chunk("IHDR", head), ...parts, chunk("IEND", Buffer.alloc(0))]) };
}

test("a large picture of many chunks decodes to the same rows", async () => {
    const { rows, png } = noise(1500, 1000);
    const file = await replicate.files.create(new File([png], "noise.png", { type: "image/png" }));
    const { json } = await server.call("POST", "/v1/models/test/copy_file/predictions", { body: { input: { image: file.urls.get } } });
    const prediction = await until(replicate, json.id, ended);
    const output = Buffer.from(await (await fetch(prediction.output)).arrayBuffer());
    assert.deepEqual(noteOf(output), making(json.id), "neither the file's link nor its name is told");
    assert.deepEqual(inflateSync(Buffer.concat(chunks(output).filter(({ type }) => type === "IDAT").map(({ data }) => data))), rows);
});

test("a picture passed on says how it was made last", async () => {
    for (const name of ["rgb.png", "rgb.jpg", "lossless.webp"]) {
        const ending = name.split(".")[1], type = types[ending];
        const first = await copied(picture(name), type), second = await copied(first.output, type);
        assert.deepEqual(ending === "png" ? noteOf(second.output) : xmpOf(second.output), making(second.id), name);
        assert.equal(second.output.toString("latin1").split(first.id).length, 1, "the first note is gone");
        assert.equal(second.output.length, first.output.length);
    }
});

test("what is no such picture, is cut short, or is something else than it says stays as it is", async () => {
    const png = picture("rgb.png"), broken = Buffer.from(png);
    broken[20] ^= 1;
    for (const [bytes, type] of [[png.subarray(0, png.length - 5), "image/png"], [broken, "image/png"], [picture("rgb.jpg"), "image/png"], [png, "image/webp"],
        [Buffer.from("hello"), "text/plain"], [png, "text/plain"], [Buffer.alloc(0), "image/png"]]) {
        if (bytes.length === 0) continue;
        const { output } = await copied(bytes, type);
        assert.deepEqual(output, bytes, type);
    }
});

test("no token, account, webhook or link is told, and nothing temporary is left", async () => {
    const { output } = await copied(picture("rgb.png"), "image/png");
    const note = JSON.stringify(noteOf(output));
    for (const word of ["r8_", "local", "http", "data:", "webhook", "token", "account"]) assert.ok(!note.includes(word), word);
    assert.deepEqual(readdirSync(join(server.data, "blobs/temporary")), []);
});

test("data: outputs have it, too", async () => {
    const { json } = await server.call("POST", "/v1/models/test/copy_file/predictions",
        { body: { input: { image: `data:image/png;base64,${picture("rgb.png").toString("base64")}` } }, headers: { prefer: "wait" } });
    assert.match(json.output, /^data:image\/png;base64,/);
    assert.deepEqual(noteOf(Buffer.from(json.output.split(",")[1], "base64")), making(json.id));
});

test("--picture-metadata no: files as the model wrote them", async (t) => {
    const plain = await Server.start({ args: [] });
    t.after(() => plain.stop());
    for (const name of ["rgb.png", "rgb.jpg", "lossy.webp"])
        assert.deepEqual((await copied(picture(name), types[name.split(".")[1]], plain)).output, picture(name));
});

test("it is on unless it is turned off, and takes yes and no alone", () => {
    const program = join(build, "mimeo");
    assert.match(execFileSync(program, ["serve", "--help"], { encoding: "utf8" }), /--picture-metadata WHICH .*\(yes, no\) \[yes\]/);
    const wrong = spawnSync(program, ["serve", "--picture-metadata", "maybe"], { encoding: "utf8" });
    assert.notEqual(wrong.status, 0);
    assert.match(wrong.stderr, /picture-metadata/);
});
