// The official JavaScript client over every method it has, and what it sends on the wire.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import Replicate, { parseProgressFromLogs, validateWebhook } from "replicate";
import { Proxy } from "./proxy.mjs";
import { Server, TOKEN, ended, sleep, until, versionOf } from "./server.mjs";

let server, replicate, proxy, proxied;
before(async () => {
    server = await Server.start({ allowPrivate: true, args: ["--deployment-quiet", "0"] });
    replicate = server.client();
    proxy = await Proxy.start(server.url);
    proxied = new Replicate({ auth: TOKEN, baseUrl: `${proxy.url}/v1` });
});
after(async () => {
    await proxy.stop();
    await server.stop();
});

const noop = versionOf("noop"), sleeper = versionOf("sleep"), words = versionOf("text_list");
const seen = () => proxy.requests.map(({ method, path }) => `${method} ${path.replace(/[0-9a-z]{26}/, "{id}")}`);

// ---- Every method ----------------------------------------------------------------------------------------------------

test("accounts.current", async () => {
    const account = await replicate.accounts.current();
    assert.equal(account.type, "user");
    assert.ok(account.username && typeof account.name === "string" && "github_url" in account);
});

test("collections.list and get", async () => {
    const page = await replicate.collections.list();
    assert.deepEqual(Object.keys(page), ["next", "previous", "results"]);
    for (const one of page.results) assert.equal(typeof one.description, "string");
    const collection = await replicate.collections.get(page.results[0].slug);
    assert.equal(collection.slug, page.results[0].slug);
    assert.ok(collection.models.length > 0);
    for (const model of collection.models) assert.ok(model.owner && model.name && model.url);
});

test("hardware.list", async () => {
    const hardware = await replicate.hardware.list();
    assert.ok(Array.isArray(hardware) && hardware.some((one) => one.sku === "cpu" && one.name));
});

test("models.get, list, search, versions.list, versions.get", async () => {
    const model = await replicate.models.get("test", "noop");
    assert.equal(model.latest_version.id, noop);
    const page = await replicate.models.list();
    assert.ok(page.results.length > 0 && page.results.length <= 25);
    const found = await replicate.models.search("text_list");
    assert.equal(found.results[0].name, "text_list");
    assert.equal(found.next, null);
    assert.equal((await replicate.models.versions.list("test", "noop")).results[0].id, noop);
    assert.equal((await replicate.models.versions.get("test", "noop", noop)).id, noop);
});

test("models.create", async () => {
    const { username } = await replicate.accounts.current();
    const model = await replicate.models.create(username, "made-by-js", { visibility: "private", hardware: "cpu", description: "Made." });
    assert.deepEqual([model.owner, model.name, model.description, model.run_count, model.latest_version], [username, "made-by-js", "Made.", 0, null]);
    await assert.rejects(replicate.models.create(username, "made-by-js", { visibility: "private", hardware: "cpu" }), /409.*A model with that name and owner already exists\./);
});

test("deployments: create, get, list, update, predictions.create, delete", async () => {
    const { username } = await replicate.accounts.current();
    const made = await replicate.deployments.create({ name: "js-app", model: "test/noop", version: noop, hardware: "cpu", min_instances: 0, max_instances: 1 });
    assert.equal(made.current_release.number, 1);
    assert.deepEqual(made.current_release.configuration, { hardware: "cpu", min_instances: 0, max_instances: 1 });
    assert.equal((await replicate.deployments.get(username, "js-app")).name, "js-app");
    assert.ok((await replicate.deployments.list()).results.some((one) => one.name === "js-app"));
    const prediction = await replicate.deployments.predictions.create(username, "js-app", { input: { text: "deployed" } });
    assert.deepEqual([prediction.model, prediction.version], ["test/noop", noop]);
    assert.equal((await replicate.wait(prediction, { interval: 50 })).output, "deployed");
    const changed = await replicate.deployments.update(username, "js-app", { max_instances: 2 });
    assert.equal(changed.current_release.number, 2);
    assert.equal(await replicate.deployments.delete(username, "js-app"), true);
    await assert.rejects(replicate.deployments.get(username, "js-app"), /404/);
});

test("files: create, get, list, delete", async () => {
    const file = await replicate.files.create(Buffer.from("hello"), { of: "mine" });
    assert.equal(file.size, 5);
    assert.deepEqual((await replicate.files.get(file.id)).metadata, { of: "mine" });
    assert.ok((await replicate.files.list()).results.some((one) => one.id === file.id));
    assert.equal(await replicate.files.delete(file.id), true);
    await assert.rejects(replicate.files.get(file.id), /404.*File not found/);
});

test("predictions: create, get, list, cancel, and wait()", async () => {
    const prediction = await replicate.predictions.create({ version: noop, input: { text: "p" } });
    assert.equal(prediction.status, "starting");
    assert.equal((await replicate.wait(prediction, { interval: 20 })).output, "p");
    assert.equal((await replicate.predictions.get(prediction.id)).id, prediction.id);
    assert.ok((await replicate.predictions.list()).results.some((one) => one.id === prediction.id));
    const slow = await replicate.predictions.create({ version: sleeper, input: { seconds: 30 } });
    assert.equal((await replicate.predictions.cancel(slow.id)).status, "canceled");
});

test("trainings: create, get, list, cancel", async () => {
    const { username } = await replicate.accounts.current();
    await replicate.models.create(username, "trained-by-js", { visibility: "private", hardware: "cpu" });
    const trainable = versionOf("trainable");
    const training = await replicate.trainings.create("test", "trainable", trainable, { destination: `${username}/trained-by-js`, input: { word: "learned" } });
    assert.deepEqual([training.status, training.logs], ["starting", ""]);
    let got;
    for (let i = 0; i < 400 && !ended(got = await replicate.trainings.get(training.id)); i++) await sleep(50);
    assert.equal(got.status, "succeeded");
    assert.match(got.output.version, new RegExp(`^${username}/trained-by-js:[0-9a-f]{64}$`));
    assert.ok((await replicate.trainings.list()).results.some((one) => one.id === training.id));
    assert.equal((await replicate.trainings.cancel(training.id)).status, "succeeded");
    assert.equal(await replicate.run(got.output.version, { input: {} }), "learned");
    await assert.rejects(replicate.trainings.create("test", "trainable", trainable, { destination: `${username}/nowhere`, input: { word: "x" } }),
        /The specified training destination does not exist/);
});

test("webhooks.default.secret.get, and validateWebhook of a delivery", async () => {
    const deliveries = [];
    const receiver = createServer((request, response) => {
        const chunks = [];
        request.on("data", (chunk) => chunks.push(chunk));
        request.on("end", () => { deliveries.push({ headers: request.headers, body: Buffer.concat(chunks).toString() }); response.end(); });
    });
    await new Promise((done) => receiver.listen(0, "127.0.0.1", done));
    try {
        const { key } = await replicate.webhooks.default.secret.get();
        assert.match(key, /^whsec_[A-Za-z0-9+/]+=*$/);
        await replicate.predictions.create({ version: noop, input: {}, webhook: `http://127.0.0.1:${receiver.address().port}/`, webhook_events_filter: ["completed"] });
        for (let i = 0; i < 500 && deliveries.length === 0; i++) await sleep(20);
        const { headers, body } = deliveries[0];
        const request = { id: headers["webhook-id"], timestamp: headers["webhook-timestamp"], signature: headers["webhook-signature"], body, secret: key };
        assert.equal(await validateWebhook(request, webcrypto), true);
        assert.equal(await validateWebhook({ ...request, body: JSON.parse(body) }, webcrypto), true, "also when the receiver has parsed it");
        assert.equal(await validateWebhook({ ...request, body: `${body} ` }, webcrypto), false);
    } finally {
        receiver.close();
        receiver.closeAllConnections();
    }
});

test("stream() yields the words and done", async () => {
    const events = [];
    for await (const event of replicate.stream(`test/text_list:${words}`, { input: { text: "once upon a time" } })) events.push(event);
    assert.deepEqual(events.filter((one) => one.event === "output").map((one) => one.data), ["once", "upon", "a", "time"]);
    assert.deepEqual(events.filter((one) => one.event === "done").map((one) => one.data), ["{}"]);
    assert.equal(events.at(-1).event, "done");
    assert.ok(events.every((one) => one.id));
});

test("paginate() goes through all predictions", async () => {
    for (let i = 0; i < 101; i++) await replicate.predictions.create({ version: noop, input: { text: String(i) } });
    const ids = [];
    for await (const page of replicate.paginate(replicate.predictions.list)) ids.push(...page.map((one) => one.id));
    assert.ok(ids.length > 101);
    assert.equal(new Set(ids).size, ids.length);
});

test("request() with a path of the API", async () => {
    assert.equal((await replicate.request("/account", {})).status, 200);
});

test("parseProgressFromLogs reads what a model logged", async () => {
    const text = "  0%|          | 0/4 [00:00<?, ?it/s]\r 25%|██▌       | 1/4 [00:00<00:00, 15.38it/s]\n 75%|███████▌  | 3/4 [00:00<00:00, 15.38it/s]";
    const made = await replicate.predictions.create({ version: versionOf("reports"), input: { text } });
    const prediction = await until(replicate, made.id, ended);
    assert.equal(prediction.logs, `${text.replace("\r", "\n")}\n`, "each as it was, on a line of its own");
    assert.deepEqual({ ...parseProgressFromLogs(prediction) }, { percentage: 0.75, current: 3, total: 4 });
});

// ---- What it sends ---------------------------------------------------------------------------------------------------

test("run(version) that ends in time is one request", async () => {
    proxy.reset();
    assert.equal(await proxied.run(`test/noop:${noop}`, { input: { text: "1" } }), "1");
    assert.deepEqual(seen(), ["POST /v1/predictions"]);
    assert.equal(proxy.requests[0].headers.prefer, "wait");
});

test("run(model) posts to the model", async () => {
    proxy.reset();
    await proxied.run("test/noop", { input: {} });
    assert.deepEqual(seen(), ["POST /v1/models/test/noop/predictions"]);
});

test("run() in poll mode sends no Prefer", async () => {
    proxy.reset();
    await proxied.run(`test/noop:${noop}`, { input: {}, wait: { mode: "poll", interval: 30 } });
    assert.equal(proxy.requests[0].headers.prefer, undefined);
    assert.ok(proxy.count("GET", "/v1/predictions/") >= 1);
});

test("a wait that is over leads to polling, at once and then each half second", async () => {
    proxy.reset();
    const output = await proxied.run(`test/sleep:${sleeper}`, { input: { seconds: 1.6 }, wait: { mode: "block", timeout: 1 } });
    assert.notEqual(output, undefined);
    assert.deepEqual(proxy.requests.map(({ method, status }) => `${method} ${status}`).slice(0, 3), ["POST 202", "GET 200", "GET 200"]);
    const [made, first, second] = proxy.requests;
    assert.ok(first.at - made.at > 900 && first.at - made.at < 1400, `${first.at - made.at} ms: the wait, then at once`);
    assert.ok(second.at - first.at >= 450 && second.at - first.at < 900, `${second.at - first.at} ms`);
});

test("a timeout of 3.2 s is sent as wait=4 and echoed", async () => {
    proxy.reset();
    await proxied.run(`test/noop:${noop}`, { input: {}, wait: { mode: "block", timeout: 3.2 } });
    assert.equal(proxy.requests[0].headers.prefer, "wait=4");
    const answer = await server.call("POST", "/v1/predictions", { body: { version: noop, input: {} }, headers: { prefer: "wait=4" } });
    assert.equal(answer.headers.get("preference-applied"), "wait=4");
});

test("a failure within the wait makes run() throw the model's error", async () => {
    proxy.reset();
    await assert.rejects(proxied.run(`test/reports:${versionOf("reports")}`, { input: { text: "x", fail: true } }), /^Error: Prediction failed: It was told to fail\.$/);
    assert.deepEqual(proxy.requests.map(({ path, status }) => `${path} ${status}`), ["/v1/predictions 201"]);
    const answer = await server.call("POST", "/v1/predictions", { body: { version: versionOf("reports"), input: { text: "x", fail: true } }, headers: { prefer: "wait" } });
    assert.deepEqual([answer.status, answer.json.status, answer.json.error], [201, "failed", "It was told to fail."]);
});

test("run() never gets null for an unfinished prediction", async () => {
    const statuses = [];
    const output = await replicate.run(`test/text_list:${words}`, { input: { text: "a b c", pause_ms: 700 }, wait: { mode: "block", timeout: 1 } }, (one) => statuses.push(one.status));
    assert.deepEqual(output, ["a", "b", "c"]);
    assert.equal(statuses[0], "starting");
});

test("an aborted signal cancels exactly once", async () => {
    proxy.reset();
    const control = new AbortController();
    setTimeout(() => control.abort(), 700);
    await proxied.run(`test/sleep:${sleeper}`, { input: { seconds: 30 }, wait: { mode: "poll", interval: 100 }, signal: control.signal }).catch(() => {});
    assert.equal(proxy.requests.filter((one) => one.method === "POST" && one.path.endsWith("/cancel")).length, 1);
});

test("a file in an answer is whole, and nothing more is asked of the server", async () => {
    proxy.reset();
    const output = await proxied.run(`test/copy_file:${versionOf("copy_file")}`, { input: { image: "data:text/plain;base64,aGVsbG8=" } });
    const blob = await output.blob();
    assert.equal(await blob.text(), "hello");
    assert.match(blob.type, /^text\/plain/);
    assert.deepEqual(seen(), ["POST /v1/predictions"]);
});

// ---- When things break -----------------------------------------------------------------------------------------------

test("a create survives one 429", async () => {
    proxy.reset(["POST", "/v1/predictions", { status: 429, headers: { "retry-after": "1" } }]);
    assert.equal((await proxied.predictions.create({ version: noop, input: {} })).status, "starting");
    assert.equal(proxy.count("POST", "/v1/predictions"), 2);
});

test("a create is not repeated after a 500, and none is made", async () => {
    proxy.reset(["POST", "/v1/predictions", 500]);
    await assert.rejects(proxied.predictions.create({ version: noop, input: {} }), /500/);
    assert.equal(proxy.count("POST", "/v1/predictions"), 1);
});

test("reads are repeated after 429 and 500", async () => {
    const { id } = await replicate.predictions.create({ version: noop, input: {} });
    proxy.reset(["GET", "/v1/predictions/", 429], ["GET", "/v1/predictions/", 500]);
    assert.equal((await proxied.predictions.get(id)).id, id);
    assert.equal(proxy.count("GET", "/v1/predictions/"), 3);
});

test("a connection that breaks before the server has read makes one prediction", async () => {
    const text = `drop ${Math.random()}`;
    proxy.reset(["POST", "/v1/predictions", "drop"]);
    const made = await proxied.predictions.create({ version: noop, input: { text } });
    assert.equal((await until(replicate, made.id, ended)).output, text);
    assert.deepEqual((await replicate.predictions.list()).results.filter((one) => one.input.text === text).map((one) => one.id), [made.id]);
});

test("an answer that is lost, with an Idempotency-Key, makes one prediction", async () => {
    const text = `lose ${Math.random()}`;
    const keyed = new Replicate({
        auth: TOKEN, baseUrl: `${proxy.url}/v1`,
        fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, "Idempotency-Key": text } }),
    });
    proxy.reset(["POST", "/v1/predictions", "lose"]);
    const made = await keyed.predictions.create({ version: noop, input: { text } });
    assert.equal(proxy.count("POST", "/v1/predictions"), 2);
    assert.deepEqual((await replicate.predictions.list()).results.filter((one) => one.input.text === text).map((one) => one.id), [made.id]);
});

test("a 503 of the upload makes the client send a data URL", async () => {
    proxy.reset(["POST", "/v1/files", 503]);
    const made = await proxied.predictions.create({ version: versionOf("copy_file"), input: { image: Buffer.from("hello") } });
    assert.match(made.input.image, /^data:[a-z/-]+;base64,aGVsbG8=$/);
    assert.equal((await until(replicate, made.id, ended)).status, "succeeded");
});

test("a 401 of the upload ends it before a prediction is made", async () => {
    proxy.reset();
    const unknown = new Replicate({ auth: "r8_unknown", baseUrl: `${proxy.url}/v1` });
    await assert.rejects(unknown.predictions.create({ version: noop, input: { image: Buffer.from("x") } }), /401.*You did not pass a valid authentication token/);
    assert.deepEqual(seen(), ["POST /v1/files"]);
});

test("an expired or unknown stream is a 404 that the client shows", async () => {
    const response = await fetch(`${server.v1}/streams/abcd-${"a".repeat(52)}`, { headers: { accept: "text/event-stream" } });
    assert.equal(response.status, 404);
});
