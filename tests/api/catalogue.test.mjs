// The built-in catalogue over the wire: models without weights run, official ones answer with their deployment.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build, Server } from "./server.mjs";

let server;

before(async () => { server = await Server.start({ runner: join(build, "mimeo-runner"), manifests: null }); });
after(async () => { await server.stop(); });

test("hello-world says hello", async () => {
    const output = await server.client().run(
        "replicate/hello-world:5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa", { input: { text: "Alice" } });
    assert.equal(output, "hello Alice");
});

test("canary streams its words", async () => {
    const words = [];
    for await (const { event, data } of server.client().stream("replicate/canary", { input: { text: "Betty Browser" } }))
        if (event === "output") words.push(data);
    assert.equal(words.join(""), "hello there, Betty Browser");
    assert.ok(words.length >= 2, `${words.length} events`);
});

test("an official model called by name answers with its deployment's id", async () => {
    const { status, json } = await server.call("POST", "/v1/models/black-forest-labs/flux-schnell/predictions",
        { body: { input: { prompt: "a cat", num_outputs: 1 } } });
    assert.equal(status, 201);
    assert.equal(json.version, "dp-4d0bcc010b3049749a251855f12800be");
    assert.equal(json.model, "black-forest-labs/flux-schnell");
    assert.match(json.urls.stream, /^http/);
    const model = await server.call("GET", "/v1/models/black-forest-labs/flux-schnell");
    assert.equal(model.json.latest_version.id, "53d5d1586a229bd033e060941789bfb0c177cefd5ef638f34b3099658343a897");
});

test("a model without a network fails with a sentence", async () => {
    const prediction = await server.client().predictions.create(
        { version: "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b", input: { prompt: "a cat" } });
    const done = await server.client().wait(prediction).then(() => null, (error) => error);
    assert.match(String(done), /stability-ai\/sdxl|network|runner/);
});

test("there is nothing to pull for a model without weights", () => {
    const text = execFileSync(join(build, "mimeo"), ["pull", "replicate/hello-world", "--data", server.data], { encoding: "utf8" });
    assert.match(text, /nothing to fetch/);
});
