// Trainings: start, follow, list, cancel, and the version that comes out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, ended, sleep, versionOf } from "./server.mjs";

let server, replicate;
before(async () => {
    server = await Server.start();
    replicate = server.client();
    await replicate.models.create("local", "pupil", { visibility: "private", hardware: "cpu" });
});
after(async () => { await server.stop(); });

const version = versionOf("trainable");
const train = (input, more = {}) => replicate.trainings.create("test", "trainable", version, { destination: "local/pupil", input, ...more });
async function end(id) {
    for (let i = 0; ; i++) {
        const training = await replicate.trainings.get(id);
        if (ended(training)) return training;
        assert.ok(i < 400, `still ${training.status}`);
        await sleep(50);
    }
}

test("a training makes a version that has learned", async () => {
    const training = await train({ word: "hello" });
    assert.equal(training.status, "starting");
    assert.equal(training.version, version);
    assert.equal(training.output, null);
    assert.equal("started_at" in training || "completed_at" in training || "metrics" in training, false);
    for (const key of ["id", "model", "version", "input", "logs", "output", "error", "status", "created_at", "urls"]) assert.ok(key in training, key);
    assert.deepEqual([training.model, training.input, training.logs, training.error], ["test/trainable", { word: "hello" }, "", null]);
    assert.match(training.urls.get, new RegExp(`/v1/trainings/${training.id}$|/v1/predictions/${training.id}$`));
    const done = await end(training.id);
    assert.equal(done.status, "succeeded", done.error);
    const [name, id] = done.output.version.split(":");
    assert.equal(name, "local/pupil");
    assert.match(id, /^[0-9a-f]{64}$/);
    const model = await replicate.models.get("local", "pupil");
    assert.equal(model.latest_version.id, id);
    assert.equal(await replicate.run(`local/pupil:${id}`, { input: {} }), "hello");
    assert.ok(typeof done.output.weights === "string" && done.output.weights.startsWith("http"), String(done.output.weights));
    const asPrediction = await server.call("GET", `/v1/predictions/${training.id}`);
    assert.deepEqual([asPrediction.status, asPrediction.json.id, asPrediction.json.status], [200, training.id, "succeeded"], "readable as a prediction, too");
    assert.deepEqual([asPrediction.json.output, asPrediction.json.version], [done.output, version]);
});

test("lists hold trainings only, and the client pages them", async () => {
    const page = await replicate.trainings.list();
    assert.deepEqual(Object.keys(page), ["next", "previous", "results"]);
    const ids = [];
    for await (const batch of replicate.paginate(replicate.trainings.list)) ids.push(...batch.map((t) => t.id));
    assert.equal(ids.length, page.results.length);
    const predictions = (await replicate.predictions.list()).results.map((p) => p.id);
    assert.ok(ids.every((id) => !predictions.includes(id)));
});

test("more than a hundred come in pages, newest first", async () => {
    const made = [];
    for (let i = 0; i < 101; i++) made.unshift((await train({ word: String(i), steps: 1 })).id);
    const pages = [];
    for await (const page of replicate.paginate(replicate.trainings.list)) pages.push(page.map((training) => training.id));
    assert.equal(pages[0].length, 100);
    assert.deepEqual(pages.flat().slice(0, 101), made);
    for (const id of made) await replicate.trainings.cancel(id);
});

test("a training can be canceled", async () => {
    const training = await train({ word: "long", steps: 1000 });
    const answer = await server.call("POST", `/v1/trainings/${training.id}/cancel`, { headers: { "content-type": "application/json" } });
    assert.deepEqual([answer.status, answer.json.id, answer.json.status, answer.json.output], [200, training.id, "canceled", null]);
    assert.equal((await replicate.trainings.cancel(training.id)).status, "canceled", "and once more");
    assert.equal((await end(training.id)).output, null);
});

test("what cannot be trained, or has nowhere to go, is refused", async () => {
    const path = `/v1/models/test/trainable/versions/${version}/trainings`;
    const nowhere = await server.call("POST", path, { body: { destination: "local/nobody", input: { word: "x" } } });
    assert.equal(nowhere.status, 404);
    assert.equal(nowhere.text, '{"detail":"The specified training destination does not exist","status":404}\n');
    assert.equal((await server.call("POST", path, { body: { destination: "test/noop", input: { word: "x" } } })).status, 404, "not the caller's model");
    const never = await server.call("POST", `/v1/models/test/noop/versions/${versionOf("noop")}/trainings`, { body: { destination: "local/pupil", input: {} } });
    assert.equal(never.status, 400);
    assert.match(never.json.detail, /cannot be trained/);
    assert.equal((await server.call("POST", `/v1/models/test/trainable/versions/${"0".repeat(64)}/trainings`, { body: { destination: "local/pupil", input: {} } })).status, 404);
    const bad = await server.call("POST", path, { body: { destination: "local/pupil", input: {} } });
    assert.equal(bad.status, 422);
    assert.equal(bad.json.detail, "- input: word is required\n");
    assert.equal((await server.call("POST", path, { body: { input: {} } })).json.detail, "- destination is required\n");
    const extra = await server.call("POST", path, { body: { destination: "local/pupil", input: { word: "go" }, version } });
    assert.equal(extra.status, 201, "some clients repeat the version");
    await end(extra.json.id);
    const prediction = await replicate.predictions.create({ version: versionOf("noop"), input: {} });
    assert.equal((await server.call("GET", `/v1/trainings/${prediction.id}`)).status, 404, "a prediction is no training");
});
