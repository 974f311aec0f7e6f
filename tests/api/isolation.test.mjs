// What one account can learn of another's, or do to it; and what hostile models and texts can do.
import assert from "node:assert";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, ended, root, sleep, versionOf } from "./server.mjs";

let server, bob;

before(async () => {
    server = await Server.start({ args: ["--log-level", "debug"] });
    bob = server.command("tokens", "create", "--account", "bob").trim();
});
after(() => server.stop());

const hex = () => Array.from({ length: 64 }, () => Math.floor(Math.random() * 16).toString(16)).join("");
const made = (id, more) => ({ id, created_at: "2024-01-01T00:00:00Z", ...more });

function make(name, manifest, { owner = "local", token } = {}) {
    return server.call("POST", "/v1/models",
        { token, body: { owner, name, visibility: "private", hardware: "cpu", ...(manifest ? { manifest } : {}) } });
}

async function run(version, input, token) {
    const { json, status } = await server.call("POST", "/v1/predictions",
        { token, headers: { prefer: "wait=20" }, body: { version, input } });
    assert.equal(status, 201);
    return json;
}

async function train(destination, token) {
    const created = await server.call("POST", `/v1/models/test/trainable/versions/${versionOf("trainable")}/trainings`,
        { token, body: { destination, input: { word: "hello", steps: 1 } } });
    assert.equal(created.status, 201);
    for (;;) {
        const { json } = await server.call("GET", `/v1/trainings/${created.json.id}`, { token });
        if (ended(json)) return json;
        await sleep(30);
    }
}

test("two accounts may learn the same from the same", async () => {
    assert.equal((await make("learner")).status, 201);
    assert.equal((await make("learner", null, { owner: "bob", token: bob })).status, 201);
    const first = await train("local/learner"), second = await train("bob/learner", bob);
    assert.equal(first.status, "succeeded");
    assert.equal(second.status, "succeeded", second.error);
    assert.notEqual(first.output.version.split(":")[1], second.output.version.split(":")[1]);
});

test("a version id that is taken does not tell by whom", async () => {
    const id = hex();
    assert.equal((await make("secretive", { model: "noop", versions: [made(id)] })).status, 201);
    const taken = await make("curious", { model: "noop", versions: [made(id)] }, { owner: "bob", token: bob });
    assert.equal(taken.status, 409);
    assert.ok(!taken.text.includes("secretive"), taken.text);
});

test("metrics with a token have no lines of what others keep private", async () => {
    const id = hex();
    await make("unmentioned", { model: "noop", versions: [made(id)] });
    await run(id, {});
    const headers = { "x-forwarded-for": "192.0.2.1" };
    assert.match((await server.call("GET", "/metrics", { headers })).text, /model="local\/unmentioned"/);
    assert.doesNotMatch((await server.call("GET", "/metrics", { headers, token: bob })).text, /unmentioned/);
    assert.match((await server.call("GET", "/metrics", { token: null })).text, /model="local\/unmentioned"/);
});

test("a model's text cannot pass for another's file", async () => {
    const file = await run(versionOf("file_list"), {});
    const shown = await server.call("GET", `/v1/predictions/${file.id}`, { headers: { "user-agent": "curl" } });
    const [, key, , name] = new URL(shown.json.output[0]).pathname.match(/outputs\/([^/]+)\/([^/]+)\/(.+)$/);
    const text = `blob:${key}/${name}`;
    const echoed = await run(versionOf("text_list"), { text: `${text} blob::x "blob:${key}/${name}" blob:` }, bob);
    assert.deepEqual(echoed.output, [text, "blob::x", `"blob:${key}/${name}"`, "blob:"]);
    const events = await (await fetch(echoed.urls.stream)).text();
    assert.match(events, new RegExp(`data: ${text}\n`));
    assert.match(events, /data: blob::x\n/);
    const shouted = await run(versionOf("trainable"), { greeting: text }, bob);
    assert.ok(JSON.stringify(shouted.output).includes(text));
    assert.ok(!JSON.stringify(shouted.output).includes("outputs"));
});

test("links that need no token are not in the log", async () => {
    const text = await run(versionOf("text_list"), { text: "a b" });
    await (await fetch(text.urls.stream)).text();
    const token = text.urls.stream.split("/").pop();
    await server.call("GET", "/v1/account");
    for (let left = 100; left > 0 && !/path="\/v1\/account"/.test(server.log); left--) await sleep(20);
    assert.match(server.log, /path="\/v1\/account"/);
    assert.match(server.log, /path="\/v1\/streams\/"/);
    assert.ok(!server.log.includes(token));
});

test("deleting a version leaves what others have under the same id", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mimeo-manifests-")), id = versionOf("noop");
    copyFileSync(join(root, "tests/models/noop.yaml"), join(folder, "noop.yaml"));
    const other = await Server.start({ manifests: folder });
    try {
        const token = other.command("tokens", "create", "--account", "bob").trim();
        const predict = (token) => other.call("POST", "/v1/predictions",
            { token, headers: { prefer: "wait=20" }, body: { version: id, input: {} } });
        const theirs = await predict(token);
        assert.equal(theirs.status, 201);
        rmSync(join(folder, "noop.yaml"));
        other.process.kill("SIGHUP");
        while ((await other.call("GET", "/v1/models/test/noop")).status === 200) await sleep(30);
        const body = { owner: "local", name: "noop", visibility: "private", hardware: "cpu", manifest: { model: "noop", versions: [made(id)] } };
        assert.equal((await other.call("POST", "/v1/models", { body })).status, 201);
        const own = await predict();
        assert.equal((await other.call("DELETE", `/v1/models/local/noop/versions/${id}`)).status, 202);
        while ((await other.call("GET", `/v1/predictions/${own.json.id}`)).status === 200) await sleep(30);
        while ((await other.call("DELETE", "/v1/models/local/noop")).status !== 204) await sleep(30);
        assert.equal((await other.call("GET", `/v1/predictions/${theirs.json.id}`, { token })).status, 200);
    } finally {
        await other.stop();
        rmSync(folder, { recursive: true, force: true });
    }
});

test("a hostile schema neither ends the server nor holds it up", async () => {
    const id = hex(), wide = hex();
    const schema = (n) => ({ input: { properties: { n } }, output: {} });
    await make("divides", { model: "noop", versions: [made(id)], schema: schema({ type: "integer", multipleOf: -1 }) });
    const response = await server.call("POST", "/v1/predictions", {
        headers: { "content-type": "application/json" },
        body: `{"version":"${id}","input":{"n":-9223372036854775808}}`,
    });
    assert.equal(response.status, 201);
    const branches = { type: "array", items: { anyOf: Array(1000).fill({}) } };
    await make("branches", { model: "noop", versions: [made(wide)], schema: schema(branches) });
    const begin = Date.now();
    const refused = await server.call("POST", "/v1/predictions", { body: { version: wide, input: { n: Array(100000).fill(0) } } });
    assert.equal(refused.status, 422);
    assert.match(refused.json.detail, /too many/);
    assert.ok(Date.now() - begin < 5000);
});

test("an account keeps twenty instances at most", async () => {
    const body = { model: "test/noop", version: versionOf("noop"), hardware: "cpu", min_instances: 5, max_instances: 5 };
    const statuses = [];
    for (let i = 0; i < 5; i++) statuses.push((await server.call("POST", "/v1/deployments", { body: { name: `k${i}`, ...body } })).status);
    assert.deepEqual(statuses, [200, 200, 200, 200, 403]);
    assert.equal((await server.call("POST", "/v1/deployments", { body: { name: "k4", ...body, min_instances: 0 } })).status, 200);
    assert.equal((await server.call("PATCH", "/v1/deployments/local/k4", { body: { min_instances: 1 } })).status, 403);
    assert.equal((await server.call("PATCH", "/v1/deployments/local/k0", { body: { min_instances: 4 } })).status, 200);
    for (let i = 0; i < 5; i++) await server.call("PATCH", `/v1/deployments/local/k${i}`, { body: { min_instances: 0 } });
});

test("what is refused uses up nothing", async () => {
    const large = { model: "noop", readme: "x".repeat(90000), tags: [7], default_example: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, "y".repeat(100000)])) };
    for (let i = 0; i < 90; i++) assert.equal((await make("refused", large, { owner: "bob", token: bob })).status, 422);
    assert.equal((await make("taken")).status, 201);
});

test("models cost the memory that they are given", async () => {
    const memory = async () => +(await server.call("GET", "/metrics")).text.match(/process_resident_memory_bytes (\d+)/)[1];
    const versions = Array.from({ length: 900 }, () => made(hex()));
    const Input = { type: "object", properties: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`p${i}`, { $ref: "#/components/schemas/E" }])) };
    const E = { type: "string", enum: Array.from({ length: 100 }, (_, i) => `${i}`) };
    const begin = await memory();
    const many = await make("many", { model: "noop", versions, schema: { components: { schemas: { Input, E, Output: {} } } } });
    assert.equal(many.status, 201);
    assert.ok(await memory() - begin < 200e6);
    const more = await make("more", { model: "noop", versions: Array.from({ length: 1001 }, () => made(hex())) });
    assert.equal(more.status, 422);
    const values = await server.call("POST", "/v1/predictions", {
        headers: { "content-type": "application/json" },
        body: `{"version":"x","input":{"a":[${"{},".repeat(2000000)}1]}}`,
    });
    assert.equal(values.status, 400);
    assert.match(values.json.detail, /too many values/);
});
