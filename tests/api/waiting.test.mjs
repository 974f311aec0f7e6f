// Predictions as they grow, and the longest wait there is.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { Server, ended, sleep, until, versionOf } from "./server.mjs";

let server, replicate;
before(async () => {
    server = await Server.start({ allowPrivate: true });
    replicate = server.client();
});
after(async () => { await server.stop(); });

test("a running prediction shows its logs and output as they grow, and only goes forward", async () => {
    const order = ["starting", "processing", "succeeded"];
    const { id } = await replicate.predictions.create({ version: versionOf("text_list"), input: { text: "a b c d e f", pause_ms: 150 } });
    const seen = [];
    for (let last = { status: "starting" }; !ended(last); await sleep(40)) {
        last = await replicate.predictions.get(id);
        seen.push(last);
    }
    for (let i = 0; i < seen.length; i++) {
        assert.equal(seen[i].id, id);
        if (seen[i].status === "processing") assert.ok(Date.parse(seen[i].started_at) >= Date.parse(seen[i].created_at));
        if (seen[i].status === "starting") assert.ok(!("started_at" in seen[i]));
        assert.equal("completed_at" in seen[i], ended(seen[i]));
        assert.equal(seen[i].error, null);
        if (i === 0) continue;
        assert.ok(order.indexOf(seen[i].status) >= order.indexOf(seen[i - 1].status));
        assert.ok(seen[i].logs.startsWith(seen[i - 1].logs));
        const before = seen[i - 1].output ?? [];
        assert.deepEqual((seen[i].output ?? []).slice(0, before.length), before);
    }
    const running = seen.filter((one) => one.status === "processing").map((one) => (one.output ?? []).length);
    assert.ok(running.some((count) => count > 0 && count < 6), "some of it was seen while it ran");
    const lines = new Set(seen.filter((one) => one.status === "processing").map((one) => one.logs.split("\n").length - 1));
    assert.ok(lines.size >= 3, "logs grow while it runs");
    assert.equal(seen.at(-1).logs, "a word of 1 bytes\n".repeat(6));
    assert.deepEqual(seen.at(-1).output, ["a", "b", "c", "d", "e", "f"]);
});

test("a list of files is a list also with one, and counts its images", async () => {
    for (const count of [1, 3]) {
        const made = await replicate.predictions.create({ version: versionOf("file_list"), input: { count } });
        const done = await until(replicate, made.id, ended);
        assert.ok(Array.isArray(done.output));
        assert.deepEqual(done.output.map((link) => new URL(link).pathname.split("/").at(-1)), Array.from({ length: count }, (_, i) => `out-${i}.png`));
        assert.equal(done.metrics.image_count, count);
        assert.ok(done.metrics.total_time >= done.metrics.predict_time);
    }
});

test("a model that does not stream has no urls.stream, and the client says so", async () => {
    const captured = "ca00000000000000000000000000000000000000000000000000000000000001";
    const made = await replicate.predictions.create({ version: captured, input: { prompt: "p" } });
    assert.equal("stream" in made.urls, false);
    await assert.rejects(async () => { for await (const event of replicate.stream(`test/captured:${captured}`, { input: { prompt: "p" } })) assert.fail(event); },
        /Prediction does not support streaming/);
});

test("webhooks of a training carry the training", async () => {
    const deliveries = [];
    const receiver = createServer((request, response) => {
        const chunks = [];
        request.on("data", (chunk) => chunks.push(chunk));
        request.on("end", () => { deliveries.push(JSON.parse(Buffer.concat(chunks).toString())); response.end(); });
    });
    await new Promise((done) => receiver.listen(0, "127.0.0.1", done));
    try {
        const { username } = await replicate.accounts.current();
        await replicate.models.create(username, "hooked", { visibility: "private", hardware: "cpu" });
        const training = await replicate.trainings.create("test", "trainable", versionOf("trainable"), {
            destination: `${username}/hooked`, input: { word: "hook" },
            webhook: `http://127.0.0.1:${receiver.address().port}/`, webhook_events_filter: ["completed"] });
        for (let i = 0; i < 500 && deliveries.length === 0; i++) await sleep(20);
        assert.deepEqual([deliveries[0].id, deliveries[0].status], [training.id, "succeeded"]);
        assert.match(deliveries[0].output.version, new RegExp(`^${username}/hooked:[0-9a-f]{64}$`));
        const got = await replicate.trainings.get(training.id);
        assert.deepEqual(Object.keys(deliveries[0]), Object.keys(got));
    } finally {
        receiver.close();
        receiver.closeAllConnections();
    }
});

test("wait=5 waits no longer than 5 s", async () => {
    const started = performance.now();
    const answer = await server.call("POST", "/v1/predictions", { body: { version: versionOf("sleep"), input: { seconds: 30 } }, headers: { prefer: "wait=5" } });
    const took = performance.now() - started;
    assert.deepEqual([answer.status, answer.json.status, answer.headers.get("preference-applied")], [202, "starting", "wait=5"]);
    assert.ok(took > 4000 && took < 5400, `${took} ms`); // the Python client gives up at 5.5 s
    await replicate.predictions.cancel(answer.json.id);
});

test("a wait without a number is answered before 60 s", { timeout: 90000 }, async () => {
    const started = performance.now();
    const answer = await server.call("POST", "/v1/predictions", { body: { version: versionOf("sleep"), input: { seconds: 70 } }, headers: { prefer: "wait" } });
    const took = performance.now() - started;
    assert.deepEqual([answer.status, answer.json.status], [202, "starting"]);
    assert.equal(answer.headers.get("preference-applied"), "wait");
    assert.ok(took > 58000 && took < 60000, `${took} ms`);
    await replicate.predictions.cancel(answer.json.id);
});
