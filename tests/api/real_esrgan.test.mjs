// Upscaling through the JavaScript client with the real runner and the real weights of both networks: a photo and a
// drawing. The weights must be there: `make test` fetches them into .mimeo/weights.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, build, root } from "./server.mjs";

const PHOTO_VERSION = "42fed1c4974146d4d2414e2be2c5277c7fcf05fcc3a73abf41610695738c1d7b"; // as the seeds have it
const weights = process.env.MIMEO_WEIGHTS ?? join(root, ".mimeo/weights");
const photo = readFileSync(join(root, "tests/golden/allium.png")); // 227 x 288

let server;
before(async () => {
    for (const model of ["nightmareai/real-esrgan", "mimeo/real-esrgan-anime"])
        assert.ok(existsSync(join(weights, model)), `no weights in ${weights}/${model}: run "mimeo pull ${model}"`);
    server = await Server.start({ runner: join(build, "mimeo-runner"), manifests: null, args: ["--weights", weights] });
});
after(async () => { await server?.stop(); });

// Width, height, bits and colour type (2: RGB) of a PNG.
function header(png) {
    assert.equal(png.subarray(0, 8).toString("hex"), "89504e470d0a1a0a");
    return [png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]];
}

async function finished(replicate, request) {
    let prediction = await replicate.predictions.create(request);
    prediction = await replicate.wait(prediction, { interval: 500 });
    return prediction;
}

test("a photo is enlarged by the factor asked for", { timeout: 280000 }, async () => {
    const replicate = server.client();
    const image = `data:image/png;base64,${photo.toString("base64")}`;
    const prediction = await finished(replicate, { version: PHOTO_VERSION, input: { image, scale: 2 } });
    assert.equal(prediction.status, "succeeded", prediction.error);
    assert.match(prediction.logs, /running without face enhancement/);
    assert.match(prediction.output, /\/output\.png$/);
    const { scale, input_width, input_height, face_enhance } = prediction.metrics;
    assert.deepEqual({ scale, input_width, input_height, face_enhance: Number(face_enhance) },
        { scale: 2, input_width: 227, input_height: 288, face_enhance: 0 });
    const answer = await fetch(prediction.output);
    assert.equal(answer.headers.get("content-type"), "image/png");
    assert.deepEqual(header(Buffer.from(await answer.arrayBuffer())), [454, 576, 8, 2]);
});

test("the network for drawings is a model of its own", { timeout: 280000 }, async () => {
    const output = await server.client().run("mimeo/real-esrgan-anime", { input: { image: photo } });
    assert.deepEqual(header(Buffer.from(await (await output.blob()).arrayBuffer())), [908, 1152, 8, 2]);
});

test("a scale that leaves nothing fails with one sentence", { timeout: 280000 }, async () => {
    const replicate = server.client();
    const image = `data:image/png;base64,${photo.toString("base64")}`;
    await assert.rejects(replicate.run(`nightmareai/real-esrgan:${PHOTO_VERSION}`, { input: { image, scale: 0 } }),
        /At scale 0 nothing is left of an image of 227 x 288 pixels: each side must have at least 1 pixel\./);
});
