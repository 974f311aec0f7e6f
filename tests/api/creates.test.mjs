// The three routes that make predictions, raw: what they share, and what tells them apart.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, versionOf } from "./server.mjs";

const noop = versionOf("noop");
const NOT_FOUND = '{"detail":"The requested resource could not be found.","status":404}\n';
let server, strict;
before(async () => {
    server = await Server.start();
    strict = await Server.start({ args: ["--strict-names"] });
});
after(async () => { assert.equal(await server.stop(), 0, server.log); assert.equal(await strict.stop(), 0, strict.log); });

async function deploy(name, options) {
    const body = { name, model: "test/noop", version: noop, hardware: "cpu", min_instances: 0, max_instances: 1 };
    const answer = await server.call("POST", "/v1/deployments", { body, ...options });
    assert.equal(answer.status, 200, answer.text);
}

test("a deployment's prediction has its model and version, and says so", async () => {
    await deploy("app");
    const answer = await server.call("POST", "/v1/deployments/local/app/predictions", { body: { input: { text: "deployed" } } });
    assert.equal(answer.status, 201);
    assert.equal(answer.json.model, "test/noop");
    assert.equal(answer.json.version, noop);
    assert.equal(answer.json.deployment, "local/app");
    assert.equal(answer.json.status, "starting");
    assert.equal(answer.headers.get("location"), answer.json.urls.get);
});

test("Prefer, Cancel-After, Idempotency-Key and webhooks hold for it, too", async () => {
    await deploy("full");
    const send = () => server.call("POST", "/v1/deployments/local/full/predictions", {
        body: { input: { text: "all" }, webhook: "https://example.invalid/hook", webhook_events_filter: ["start"] },
        headers: { prefer: "wait=30", "cancel-after": "1m", "idempotency-key": "deployed once" },
    });
    const first = await send();
    assert.equal(first.status, 201);
    assert.equal(first.json.output, "all");
    assert.equal(first.headers.get("preference-applied"), "wait=30");
    assert.equal(Date.parse(first.json.deadline) - Date.parse(first.json.created_at), 60000);
    assert.equal(first.json.webhook, "https://example.invalid/hook");
    assert.deepEqual(first.json.webhook_events_filter, ["start"]);
    const second = await send();
    assert.equal(second.json.id, first.json.id);
    assert.equal(second.headers.get("idempotent-replayed"), "true");
});

test("a deployment that is not there, or another's, is 404", async () => {
    await deploy("mine");
    const token = server.command("tokens", "create", "--account", "other").trim();
    for (const [path, options] of [["/v1/deployments/local/none/predictions", {}], ["/v1/deployments/other/mine/predictions", {}],
        ["/v1/deployments/local/mine/predictions", { token }]]) {
        const answer = await server.call("POST", path, { body: { input: {} }, ...options });
        assert.equal(answer.status, 404);
        assert.equal(answer.text, NOT_FOUND);
    }
});

test("a body without input, or with a version too much, is refused on every route", async () => {
    await deploy("checked");
    for (const path of ["/v1/models/test/noop/predictions", "/v1/deployments/local/checked/predictions"]) {
        const extra = await server.call("POST", path, { body: { version: noop, input: {} } });
        assert.equal(extra.status, 422);
        assert.equal(extra.json.detail, "- Additional property version is not allowed\n");
        const none = await server.call("POST", path, { body: {} });
        assert.equal(none.json.detail, "- input is required\n");
        assert.deepEqual(none.json.invalid_fields, [{ type: "required", field: "", description: "input is required" }]);
    }
});

test("strict names: a model that is not official runs by its version only", async () => {
    const byModel = await strict.call("POST", "/v1/models/test/noop/predictions", { body: { input: {} } });
    assert.equal(byModel.status, 404);
    assert.equal(byModel.text, NOT_FOUND);
    assert.equal((await strict.call("POST", "/v1/predictions", { body: { version: "test/noop", input: {} } })).status, 422);
    const official = { input: { prompt: "a cat" } };
    assert.equal((await strict.call("POST", "/v1/models/black-forest-labs/flux-schnell/predictions", { body: official })).status, 201);
    for (const version of [noop, `test/noop:${noop}`, "black-forest-labs/flux-schnell"])
        assert.equal((await strict.call("POST", "/v1/predictions", { body: { version, input: official.input } })).status, 201, version);
});

test("JSON nested too deeply is refused, and the server goes on", async () => {
    const deep = `{"version":"${noop}","input":{"text":${"[".repeat(200)}${"]".repeat(200)}}}`;
    const answer = await server.call("POST", "/v1/predictions", { body: deep, headers: { "content-type": "application/json" } });
    assert.equal(answer.status, 400);
    assert.match(answer.json.detail, /nested deeper than 128 levels/);
});
