// Deployments as the official client makes, reads, changes and deletes them.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { Server, versionOf } from "./server.mjs";

let server, replicate;
before(async () => { server = await Server.start(); replicate = server.client(); });
after(async () => { await server.stop(); });

const body = (name, more = {}) => ({ name, model: "test/noop", version: versionOf("noop"), hardware: "cpu", min_instances: 0, max_instances: 2, ...more });
const refused = async (more, detail) => {
    const answer = await server.call("POST", "/v1/deployments", { body: body("bad", more) });
    assert.equal(answer.status, 422, answer.text);
    if (detail) assert.equal(answer.json.detail, detail);
};

test("create, get, list, update, delete", async () => {
    const raw = await server.call("POST", "/v1/deployments", { body: body("app") });
    assert.equal(raw.status, 200);
    const made = raw.json;
    assert.deepEqual(Object.keys(made), ["owner", "name", "current_release"]);
    assert.deepEqual([made.owner, made.name], ["local", "app"]);
    const { number, model, version, created_at, created_by, configuration } = made.current_release;
    assert.deepEqual([number, model, version], [1, "test/noop", versionOf("noop")]);
    assert.ok(Math.abs(Date.parse(created_at) - Date.now()) < 60000);
    assert.deepEqual([created_by.type, created_by.username, created_by.name], ["user", "local", "local"]);
    assert.deepEqual(configuration, { hardware: "cpu", min_instances: 0, max_instances: 2 });
    assert.deepEqual(await replicate.deployments.get("local", "app"), made);

    await replicate.deployments.create(body("later"));
    const page = await replicate.deployments.list();
    assert.deepEqual(Object.keys(page), ["next", "previous", "results"]);
    assert.deepEqual(page.results.map((d) => d.name), ["later", "app"], "newest first");
    assert.deepEqual(page.results[1], made, "whole, with the configuration");

    const changed = await replicate.deployments.update("local", "app", { max_instances: 4 });
    assert.equal(changed.current_release.number, 2);
    assert.deepEqual(changed.current_release.configuration, { hardware: "cpu", min_instances: 0, max_instances: 4 });
    const again = await server.call("PATCH", "/v1/deployments/local/app", { body: { max_instances: 4 } });
    assert.equal(again.status, 200);
    assert.deepEqual((await replicate.deployments.get("local", "app")).current_release.configuration, changed.current_release.configuration);

    assert.equal(await replicate.deployments.delete("local", "later"), true);
    assert.equal((await server.call("GET", "/v1/deployments/local/later")).status, 404);
    const answer = await server.call("DELETE", "/v1/deployments/local/app");
    assert.deepEqual([answer.status, answer.text], [204, ""]);
});

test("limits are enforced", async () => {
    await refused({ min_instances: 6, max_instances: 6 }, "- min_instances: Must be less than or equal to 5\n");
    await refused({ max_instances: 21 }, "- max_instances: Must be less than or equal to 20\n");
    await refused({ max_instances: -1, min_instances: 0 });
    const most = await server.call("POST", "/v1/deployments", { body: body("most", { min_instances: 5, max_instances: 20 }) });
    assert.deepEqual([most.status, most.json.current_release.configuration], [200, { hardware: "cpu", min_instances: 5, max_instances: 20 }]);
    await refused({ min_instances: -1 }, "- min_instances: Must be greater than or equal to 0\n");
    await refused({ min_instances: 3, max_instances: 2 }, "- min_instances: Must be less than or equal to 2\n");
    await refused({ hardware: "abacus" });
    await refused({ name: "a/b" });
    await refused({ name: "" });
    await refused({ version: "0".repeat(64) }, "The specified version does not exist (or perhaps you don't have permission to use it?)");
    await refused({ model: "test/sleep" }, "The specified version does not exist (or perhaps you don't have permission to use it?)");
    const missing = await server.call("POST", "/v1/deployments", { body: { name: "x" } });
    assert.equal(missing.json.detail, "- model is required\n- version is required\n- hardware is required\n- min_instances is required\n- max_instances is required\n");
    await replicate.deployments.create(body("one"));
    assert.equal((await server.call("POST", "/v1/deployments", { body: body("one") })).status, 409);
    assert.equal((await server.call("PATCH", "/v1/deployments/local/one", { body: {} })).status, 422);
    assert.equal((await server.call("PATCH", "/v1/deployments/local/one", { body: { min_instances: 3 } })).status, 422);
    assert.equal((await server.call("PATCH", "/v1/deployments/local/nobody", { body: { max_instances: 3 } })).status, 404);
    assert.equal((await server.call("DELETE", "/v1/deployments/acme/one")).status, 404);
    assert.equal((await replicate.deployments.get("local", "one")).current_release.number, 1, "a refused change makes no release");
});

test("one that is online, or was used lately, is not deleted", async () => {
    await replicate.deployments.create(body("busy", { min_instances: 1 }));
    const online = await server.call("DELETE", "/v1/deployments/local/busy");
    assert.equal(online.status, 409);
    assert.match(online.json.detail, /online/);
    await replicate.deployments.update("local", "busy", { min_instances: 0 });
    const prediction = await server.call("POST", "/v1/deployments/local/busy/predictions", { body: { input: {} }, headers: { prefer: "wait=10" } });
    assert.equal(prediction.status, 201);
    assert.deepEqual([prediction.json.status, prediction.json.deployment], ["succeeded", "local/busy"]);
    const used = await server.call("DELETE", "/v1/deployments/local/busy");
    assert.equal(used.status, 409);
    assert.match(used.json.detail, /used/);
});

test("a deployment outlives the server", async () => {
    const quiet = await Server.start({ args: ["--deployment-quiet", "0"] });
    const first = quiet.client();
    await first.deployments.create(body("stays"));
    quiet.process.kill("SIGTERM");
    await quiet.ended;
    const again = await Server.start({ args: ["--data", quiet.data, "--deployment-quiet", "0"] });
    try {
        const client = again.client();
        assert.equal((await client.deployments.get("local", "stays")).current_release.number, 1);
        const prediction = await again.call("POST", "/v1/deployments/local/stays/predictions", { body: { input: {} }, headers: { prefer: "wait=10" } });
        assert.equal(prediction.json.status, "succeeded");
        assert.equal(await client.deployments.delete("local", "stays"), true, "with no quiet time it goes at once");
    } finally {
        await again.stop();
        rmSync(quiet.data, { recursive: true, force: true });
    }
});
