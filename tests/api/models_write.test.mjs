// Models that users make: create, change, delete, versions, and that they outlive the server.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, build, ended, sleep, until, versionOf } from "./server.mjs";

let server, replicate;
before(async () => { server = await Server.start(); replicate = server.client(); });
after(async () => { await server.stop(); });

const make = (name, more = {}) => server.call("POST", "/v1/models", { body: { owner: "local", name, visibility: "private", hardware: "cpu", ...more } });
const id = (digit) => digit.repeat(64);
const manifest = (version) => ({ runner: "native", model: "noop", versions: [{ id: version }] });

test("the official client makes, changes and reads a model", async () => {
    const model = await replicate.models.create("local", "mine", {
        visibility: "private", hardware: "cpu", description: "first", github_url: "https://github.com/acme/mine",
        paper_url: "https://arxiv.org/abs/1", license_url: "https://example.com/license", cover_image_url: "https://example.com/cover.png" });
    assert.deepEqual([model.owner, model.name, model.visibility, model.description, model.run_count], ["local", "mine", "private", "first", 0]);
    assert.deepEqual([model.github_url, model.paper_url, model.license_url, model.cover_image_url],
        ["https://github.com/acme/mine", "https://arxiv.org/abs/1", "https://example.com/license", "https://example.com/cover.png"]);
    assert.equal(model.latest_version, null);
    assert.equal(model.default_example, null);
    assert.deepEqual(await replicate.models.get("local", "mine"), model);
    const changed = await server.call("PATCH", "/v1/models/local/mine", { body: {
        description: "second", readme: "# Mine", github_url: "https://github.com/acme/other", paper_url: "https://arxiv.org/abs/2",
        weights_url: "https://example.com/weights", license_url: "https://example.com/other" } });
    assert.equal(changed.status, 200);
    assert.deepEqual([changed.json.description, changed.json.github_url, changed.json.paper_url, changed.json.weights_url, changed.json.license_url],
        ["second", "https://github.com/acme/other", "https://arxiv.org/abs/2", "https://example.com/weights", "https://example.com/other"]);
    assert.equal(changed.json.cover_image_url, "https://example.com/cover.png");
    assert.equal((await server.call("GET", "/v1/models/local/mine/readme")).text, "# Mine");
    assert.equal((await server.call("PATCH", "/v1/models/local/mine", { body: { name: "other" } })).status, 422);
});

test("a created model answers 201, a second one 409 word for word", async () => {
    const made = await make("twice", { description: "Mine." });
    assert.equal(made.status, 201);
    assert.deepEqual([made.json.owner, made.json.name, made.json.visibility, made.json.description, made.json.run_count], ["local", "twice", "private", "Mine.", 0]);
    const again = await make("twice");
    assert.equal(again.status, 409);
    assert.equal(again.text, '{"detail":"A model with that name and owner already exists.","status":409,' +
        '"errors":[{"detail":"A model with that name and owner already exists."}]}\n');
    assert.match(again.headers.get("content-type"), /problem\+json/);
});

test("what is wrong is told in the words of the public API", async () => {
    const missing = await server.call("POST", "/v1/models", { body: { owner: "local", name: "x", visibility: "private" } });
    assert.equal(missing.status, 422);
    assert.equal(missing.json.detail, "- hardware is required\n");
    assert.deepEqual(missing.json.invalid_fields, [{ type: "required", field: "", description: "hardware is required" }]);
    const odd = await make("x", { visibility: "secret" });
    assert.equal(odd.json.detail, '- visibility: visibility must be one of the following: "public", "private"\n');
    assert.match((await make("x", { hardware: "abacus" })).json.detail, /^- hardware: hardware must be one of the following: "cpu", .*"gpu-t4"/);
    assert.equal((await make("x", { colour: "red" })).json.detail, "- Additional property colour is not allowed\n");
    assert.equal((await make("white space")).status, 422);
    assert.equal((await make("x", { hardware: "gpu-a40-large" })).status, 201, "names of the public API's machines are known");
    const foreign = await server.call("POST", "/v1/models", { body: { owner: "acme", name: "x", visibility: "private", hardware: "cpu" } });
    assert.equal(foreign.status, 403);
    assert.match(foreign.json.detail, /owner must be "local"/);
    assert.equal((await server.call("POST", "/v1/models", { body: "{", headers: { "content-type": "application/json" } })).status, 400);
});

test("only own, private models without versions can be deleted", async () => {
    await make("gone");
    await make("shown", { visibility: "public" });
    const answer = await server.call("DELETE", "/v1/models/local/gone");
    assert.equal(answer.status, 204);
    assert.equal(answer.text, "");
    assert.equal((await server.call("GET", "/v1/models/local/gone")).status, 404);
    assert.equal((await make("gone")).status, 201, "the name is free again");
    const shown = await server.call("DELETE", "/v1/models/local/shown");
    assert.equal(shown.status, 409);
    assert.match(shown.json.detail, /private/);
    const built = await server.call("DELETE", "/v1/models/bria/remove-background");
    assert.equal(built.status, 403);
    assert.equal((await server.call("PATCH", "/v1/models/test/noop", { body: { description: "x" } })).status, 403);
});

test("a manifest makes a model run; deleting its version takes its predictions along", async () => {
    const version = id("a");
    assert.equal((await make("runs", { manifest: manifest(version) })).json.latest_version.id, version);
    const prediction = await replicate.predictions.create({ version, input: {} });
    await until(replicate, prediction.id, ended);
    const full = await server.call("DELETE", "/v1/models/local/runs");
    assert.equal(full.status, 409);
    assert.match(full.json.detail, /versions/);
    const answer = await server.call("DELETE", `/v1/models/local/runs/versions/${version}`);
    assert.equal(answer.status, 202);
    assert.equal(answer.text, "");
    assert.equal((await server.call("GET", `/v1/models/local/runs/versions/${version}`)).status, 404);
    assert.equal((await server.call("POST", "/v1/predictions", { body: { version, input: {} } })).status, 422);
    for (let i = 0; (await server.call("GET", `/v1/predictions/${prediction.id}`)).status !== 404; i++) {
        assert.ok(i < 100, "its prediction is removed");
        await sleep(50);
    }
    let deleted;
    for (let i = 0; i < 100 && (deleted = await server.call("DELETE", "/v1/models/local/runs")).status === 409; i++) await sleep(50);
    assert.equal(deleted.status, 204);
});

test("versions in use, public or unknown stay", async () => {
    const version = id("b");
    await make("used", { manifest: manifest(version) });
    const body = { name: "uses-it", model: "local/used", version, hardware: "cpu", min_instances: 0, max_instances: 1 };
    assert.equal((await server.call("POST", "/v1/deployments", { body })).status, 200);
    const answer = await server.call("DELETE", `/v1/models/local/used/versions/${version}`);
    assert.equal(answer.status, 409);
    assert.match(answer.json.detail, /deployment/);
    assert.equal((await server.call("DELETE", `/v1/models/local/used/versions/${id("0")}`)).status, 404);
    assert.equal((await server.call("DELETE", `/v1/models/test/noop/versions/${versionOf("noop")}`)).status, 403);
    assert.equal((await make("clash", { manifest: manifest(versionOf("noop")) })).status >= 400, true, "another model's version");
    assert.equal((await make("sneaky", { manifest: { ...manifest(id("c")), versions: [{ id: id("c"), created_at: "2026-01-01T00:00:00Z", weights_folder: "a/b/c" }] } })).status, 422);
});

test("what was made is there after a restart, and only its account sees what is private", async () => {
    await make("lasting", { description: "stays", manifest: manifest(id("d")) });
    const data = server.data;
    server.process.kill("SIGTERM");
    await server.ended;
    const made = spawnSync(join(build, "mimeo"), ["tokens", "create", "--account", "stranger", "--data", data], { encoding: "utf8" });
    const stranger = `${made.stdout}${made.stderr}`.match(/r8_[0-9A-Za-z]+/)?.[0];
    assert.ok(stranger, made.stderr);
    server = await Server.start({ args: ["--data", data] });
    rmSync(server.data, { recursive: true, force: true });
    server.data = data;
    replicate = server.client();
    const model = await replicate.models.get("local", "lasting");
    assert.equal(model.description, "stays");
    assert.equal((await replicate.predictions.create({ version: id("d"), input: {} })).status, "starting");
    assert.equal((await server.call("GET", "/v1/models/local/lasting", { token: stranger })).status, 404);
    assert.equal((await server.call("GET", "/v1/models/local/shown", { token: stranger })).status, 200);
    assert.equal((await server.call("POST", "/v1/predictions", { token: stranger, body: { version: id("d"), input: {} } })).status, 422);
    assert.equal((await server.call("DELETE", "/v1/models/local/shown", { token: stranger })).status, 403);
    const listed = (await replicate.models.list()).results.map((m) => m.name);
    assert.ok(!listed.includes("lasting"), "private models are in no list");
});
