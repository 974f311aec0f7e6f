// The requests of the two guides the project began with, as they stand there but for host and key: taken, checked against the models'
// own schemas, and answered in the guides' shapes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, build, ended, until } from "./server.mjs";

let server, replicate;
before(async () => {
    server = await Server.start({ runner: `${build}/mimeo-runner` });
    replicate = server.client();
});
after(async () => { await server.stop(); });

const prompt = "Japanese cartoon anime style, (1 person) (Gender: Male, Age: 30, Hair: Short black hair, Outfit: Dark blue hunting attire, includes a fitted jacket and trousers.) (A dimly lit room filled with tension, is questioning Female, 27 years old, long black hair, pink tulle dress., who stands nervously in her pink dress, the sound of rain pattering against the window.)";
const flux = { prompt, go_fast: true, megapixels: "1", num_outputs: 1, aspect_ratio: "1:1", output_format: "jpg", output_quality: 80, num_inference_steps: 4 };
const lora = { prompt, hf_lora: "alvdansen/frosting_lane_flux", lora_scale: 0.8, num_outputs: 1, aspect_ratio: "1:1", output_format: "webp", output_quality: 80,
    prompt_strength: 0.8, num_inference_steps: 4 };

// The guide's answer to a create: these keys, in this order among themselves, with these types; nothing that is absent there is here
// but `source` and `urls.web`, which the public API has added since.
const created = ["id", "model", "version", "input", "logs", "output", "data_removed", "error", "status", "created_at", "urls"];
const finished = [...created.slice(0, 10), "started_at", "completed_at", "urls", "metrics"];
const added = new Set(["source"]);

function hasShape(prediction, keys) {
    assert.deepEqual(Object.keys(prediction).filter((key) => !added.has(key)), keys);
    assert.match(prediction.id, /^[0-9a-hjkmnp-tv-z]{26}$/);
    assert.match(prediction.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/);
    assert.deepEqual(Object.keys(prediction.urls).filter((key) => key !== "web"), ["cancel", "get", "stream"]);
    assert.deepEqual(Object.keys(prediction.input), Object.keys(prediction.input).sort());
    assert.equal(prediction.data_removed, false);
}

test("the gateway guide's create by model", async () => {
    const answer = await server.call("POST", "/replicate/v1/models/black-forest-labs/flux-schnell/predictions", { body: { input: flux }, token: "r8_0123456789abcdefghijABCDEFGHIJ0123456" });
    assert.equal(answer.status, 201, answer.text);
    hasShape(answer.json, created);
    assert.equal(answer.json.model, "black-forest-labs/flux-schnell");
    assert.equal(answer.json.version, "dp-4d0bcc010b3049749a251855f12800be");
    assert.deepEqual(answer.json.input, flux);
    assert.deepEqual([answer.json.logs, answer.json.output, answer.json.error, answer.json.status], ["", null, null, "starting"]);
    assert.match(new URL(answer.json.urls.stream).pathname, /^\/v1\/files\/[a-z]{4}-[0-9a-z]{52}$/);
    assert.equal(answer.json.urls.get, `${server.url}/replicate/v1/predictions/${answer.json.id}`);
});

test("the gateway guide's create by version, and its look at a task", async () => {
    const version = "2a6b576af31790b470f0a8442e1e9791213fa13799cbb65a9fc1436e96389574";
    const answer = await server.call("POST", "/replicate/v1/predictions", { body: { version, input: lora } });
    assert.equal(answer.status, 201, answer.text);
    hasShape(answer.json, created);
    assert.deepEqual([answer.json.model, answer.json.version], ["lucataco/flux-schnell-lora", version]);
    const got = await server.call("GET", `/replicate/v1/predictions/${answer.json.id}`, { headers: { "content-type": "application/json" } });
    assert.equal(got.status, 200);
    assert.equal(got.json.id, answer.json.id);
});

test("a finished one has the guide's keys", async () => {
    const made = await server.call("POST", "/replicate/v1/models/replicate/hello-world/predictions", { body: { input: { text: "Alice" } } });
    assert.equal(made.status, 201, made.text);
    const done = await until(replicate, made.json.id, ended);
    hasShape(done, finished);
    assert.equal(done.status, "succeeded");
    assert.ok(done.metrics.predict_time >= 0);
    assert.equal(done.output, "hello Alice");
});

const picture = "https://example.com/picture.jpg", inline = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
for (const [name, version, input] of [
    ["remove the background", "1a075954106b608c3671c2583e10526216f700d846b127fcf01461e8f642fb48", { image: inline }],
    ["upscale", "42fed1c4974146d4d2414e2be2c5277c7fcf05fcc3a73abf41610695738c1d7b", { image: picture, scale: 4, face_enhance: true }],
    ["enhance", "9283608cc6b7be6b65a8e44983db012355fde4132009bf99d976b2f0896856a3", { img: picture, version: "v1.4", scale: 2 }],
    ["generate", "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b",
        { prompt: "astronaut riding a horse", negative_prompt: "ugly, blurry", width: 1024, height: 1024, num_inference_steps: 50 }],
    ["inpaint", "95b7223104132402a9ae91cc677285bc5eb997834bd2349fa486f53910fd68b3", { image: picture, mask: picture, prompt: "replace with grass" }],
    ["colorize", "d6c6c5c57c89dff54f59b93bb9fdb5f78c1ed4fe1f5e5e4e1fb2c1d0c3c5c5c5", { image: picture }],
])
    test(`the first guide's code to ${name} is taken, and ends with a clear sentence where something is missing`, async () => {
        const made = await replicate.predictions.create({ version, input });
        assert.equal(made.version, version);
        const done = await until(replicate, made.id, ended, 60000);
        if (done.status === "failed") assert.match(done.error, /mimeo (pull|models)|example\.com/);
    });
