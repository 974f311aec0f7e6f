// What the page shows to those who run the server: queues, runners, totals, the last hours; loading and unloading by hand.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, ended, sleep, until, versionOf } from "./server.mjs";

let server, replicate;
before(async () => { server = await Server.start(); replicate = server.client(); });
after(async () => { await server.stop(); });

const operations = async (token) => {
    const answer = await server.call("GET", "/v1/operations", { token });
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
};
const load = (body, on = server) => on.call("POST", "/v1/operations/runners", { body });
const unload = (pid) => server.call("DELETE", `/v1/operations/runners/${pid}`);
const runnerOf = async (model) => (await operations()).runners.find((runner) => runner.model === model);
const until_ = async (holds, what) => {
    for (const end = Date.now() + 10000; ; await sleep(20)) {
        const found = await holds();
        if (found) return found;
        assert.ok(Date.now() < end, what);
    }
};
const run = async (model, input) => until(replicate, (await replicate.predictions.create({ version: versionOf(model), input })).id, ended);
const isAlive = (pid) => { try { return statSync(`/proc/${pid}`) && true; } catch { return false; } };

test("what the server is, and what it has", async () => {
    const now = await operations();
    assert.match(now.version, /^\d+\.\d+\.\d+$/);
    assert.ok(Math.abs(Date.now() - Date.parse(now.started_at)) < 60000);
    assert.equal(now.draining, false);
    assert.ok(now.memory.budget_bytes > 1e6 && now.memory.server_bytes > 1e6);
    assert.ok(now.cpu_count >= 1 && now.disk.free_bytes > 0);
    assert.ok(now.disk.data_bytes > 4096 && now.disk.data_bytes < 100e6, `${now.disk.data_bytes} bytes of an empty store`);
    assert.deepEqual([now.queue, now.runners, now.totals], [[], [], []]);
    assert.deepEqual(now.webhooks, { pending: 0, delivered: 0, failed_attempts: 0, given_up: 0 });
});

test("what waits and what runs is shown, and how it ended", async () => {
    const version = versionOf("sleep");
    const all = [];
    for (let i = 0; i < 3; i++) all.push(await replicate.predictions.create({ version, input: { seconds: 20 } }));
    const busy = await until_(async () => { const one = await runnerOf("test/sleep"); return one?.state === "running" && one; }, "it runs");
    assert.equal(busy.prediction, all[0].id);
    assert.deepEqual([busy.version, busy.deployment], [version, null]);
    const now = await until_(async () => { const found = await operations(); return found.memory.used_bytes > 1e6 && found; }, "its memory is measured");
    assert.ok(now.runners[0].memory_bytes > 1e6);
    assert.equal(now.queue.length, 1);
    assert.deepEqual([now.queue[0].model, now.queue[0].version, now.queue[0].deployment, now.queue[0].waiting], ["test/sleep", version, null, 2]);
    assert.ok(now.queue[0].oldest_wait_s > 0 && now.queue[0].oldest_wait_s < 60);
    const refused = await unload(busy.pid);
    assert.equal(refused.status, 409);
    assert.match(refused.json.detail, /running/);
    for (const one of all) await replicate.predictions.cancel(one.id);
    for (const one of all) await until(replicate, one.id, ended);
    assert.equal((await run("sleep", { seconds: 0.1 })).status, "succeeded");
    const { totals, queue } = await operations();
    assert.deepEqual(queue, []);
    const total = totals.find((one) => one.model === "test/sleep");
    assert.deepEqual([total.succeeded, total.failed, total.canceled], [1, 0, 3]);
    assert.ok(total.predict_s >= 0.1 && total.queue_s > 0);
});

test("a model is loaded by hand, used, and unloaded again", async () => {
    assert.equal((await load({ model: "test/noop" })).status, 202);
    const idle = await until_(async () => { const one = await runnerOf("test/noop"); return one?.state === "idle" && one; }, "it is loaded");
    assert.deepEqual([idle.prediction, idle.deployment, idle.version], [null, null, versionOf("noop")]);
    assert.equal((await load({ model: "test/noop", version: versionOf("noop") })).status, 202, "it is there");
    await run("noop", {});
    assert.equal((await runnerOf("test/noop")).pid, idle.pid, "the prediction ran in it");
    assert.equal((await unload(idle.pid)).status, 204);
    await until_(async () => !isAlive(idle.pid), "its process has ended");
    await until_(async () => !(await runnerOf("test/noop")), "and is no longer shown");
    for (const pid of [idle.pid, process.pid, 1, "-1", "x", "99999999999999999999"]) assert.equal((await unload(pid)).status, 404, String(pid));
    assert.equal((await run("noop", {})).status, "succeeded", "the next prediction loads it again");
});

test("one that is being loaded can be stopped", async () => {
    assert.equal((await load({ model: "test/slow_load" })).status, 202);
    const loading = await until_(() => runnerOf("test/slow_load"), "it is started");
    assert.equal(loading.state, "loading");
    assert.equal((await unload(loading.pid)).status, 204);
    await until_(async () => !isAlive(loading.pid), "it has ended");
});

test("what cannot be loaded is refused with a sentence", async () => {
    for (const [body, status, words] of [
        [{ model: "test/unpulled" }, 409, /weights .*are not here/],
        [{ model: "test/networkless" }, 409, /no network/],
        [{ model: "test/none" }, 422, /no such model/],
        [{ model: "nonsense" }, 422, /no such model/],
        [{ model: "test/noop", version: versionOf("sleep") }, 422, /no such version/],
        [{}, 422, /model is required/],
        [{ model: "test/noop", more: 1 }, 422, /more/],
    ]) {
        const answer = await load(body);
        assert.equal(answer.status, status, JSON.stringify(body) + answer.text);
        assert.match(answer.json.detail, words);
    }
});

test("a model that does not fit is not loaded by hand, and one that is measured is", async () => {
    const small = await Server.start({ args: ["--memory-budget", "200"] });
    try {
        const refused = await load({ model: "test/noop" }, small);
        assert.equal(refused.status, 409);
        assert.match(refused.json.detail, /needs about 268 MB of memory; .* 209 MB are free/);
        const client = small.client();
        await until(client, (await client.predictions.create({ version: versionOf("noop"), input: {} })).id, ended); // the first always may
        const { results, memory_bytes } = (await small.call("GET", "/v1/weights")).json;
        assert.equal(memory_bytes, 200 << 20);
        const noop = results.find((one) => one.model === "test/noop");
        assert.ok(noop.fits && noop.memory_bytes > 1e6 && noop.memory_bytes < 200e6);
        assert.equal(results.find((one) => one.model === "test/unpulled").fits, false, "not loaded yet: a guess");
        const { pid } = (await small.call("GET", "/v1/operations")).json.runners[0];
        assert.equal((await small.call("DELETE", `/v1/operations/runners/${pid}`)).status, 204);
        await until_(async () => !isAlive(pid), "it has ended");
        assert.equal((await load({ model: "test/noop" }, small)).status, 202);
    } finally {
        await small.stop();
    }
});

test("what a deployment keeps loaded stays", async () => {
    await replicate.deployments.create({ name: "kept", model: "test/noop", version: versionOf("noop"), hardware: "cpu", min_instances: 1, max_instances: 1 });
    const kept = await until_(async () => (await operations()).runners.find((one) => one.deployment === "local/kept" && one.state === "idle"), "it is loaded");
    const refused = await unload(kept.pid);
    assert.equal(refused.status, 409);
    assert.match(refused.json.detail, /deployment keeps it/);
    const other = server.command("tokens", "create", "--account", "other").match(/r8_\w+/)[0];
    assert.equal((await operations(other)).runners.some((one) => one.deployment), false, "others' deployments are not shown");
    assert.equal((await server.call("DELETE", `/v1/operations/runners/${kept.pid}`, { token: other })).status, 404);
    await server.call("PATCH", "/v1/deployments/local/kept", { body: { min_instances: 0 } });
    assert.equal((await unload(kept.pid)).status, 204);
});

test("another account sees that a model is used, not for what", async () => {
    const other = server.command("tokens", "create", "--account", "other").match(/r8_\w+/)[0];
    const prediction = await replicate.predictions.create({ version: versionOf("sleep"), input: { seconds: 20 } });
    await until_(async () => (await runnerOf("test/sleep"))?.prediction === prediction.id, "it runs");
    const seen = (await operations(other)).runners.find((one) => one.model === "test/sleep");
    assert.deepEqual([seen.state, seen.prediction], ["running", null]);
    await replicate.predictions.cancel(prediction.id);
    await until(replicate, prediction.id, ended);
});

test("the last hours are kept in steps", async () => {
    const sum = (points, key) => points.reduce((total, point) => total + point[key], 0);
    await sleep(1200); // creates are looked at once a second
    const before = (await server.call("GET", "/v1/operations/history")).json;
    assert.equal(before.step_s, 10);
    await run("sleep", { seconds: 0.3 });
    await run("crash", {});
    const waiting = [];
    for (let i = 0; i < 4; i++) waiting.push(await replicate.predictions.create({ version: versionOf("sleep"), input: { seconds: 20 } }));
    await sleep(1500);
    for (const one of waiting) { await replicate.predictions.cancel(one.id); await until(replicate, one.id, ended); }
    await sleep(1200);
    for (const [span, step_s] of [["2h", 10], ["1d", 120]]) {
        const { json, status } = await server.call("GET", `/v1/operations/history?span=${span}`);
        assert.equal(status, 200);
        assert.equal(json.step_s, step_s);
        const points = json.points;
        assert.ok(points.length >= 1);
        for (const point of points) assert.equal(Date.parse(point.at) % (step_s * 1000), 0);
        assert.deepEqual(points.map((point) => point.at), points.map((point) => point.at).sort());
        assert.ok(Math.max(...points.map((point) => point.waiting)) >= 3, "three waited behind one");
        assert.ok(points.every((point) => point.memory_bytes > 1e6));
        const ran = points.findLast((point) => point.run_p50_s !== null);
        assert.ok(ran.run_p50_s > 0.0 && ran.run_p95_s >= ran.run_p50_s && ran.run_p95_s < 5);
        assert.ok(ran.queue_p50_s !== null && ran.request_p50_ms > 0 && ran.request_p99_ms >= ran.request_p50_ms);
        if (span !== "2h") continue;
        for (const [key, more] of [["created", 6], ["succeeded", 1], ["failed", 1], ["canceled", 4]])
            assert.equal(sum(points, key), sum(before.points, key) + more, key);
        assert.ok(sum(points, "requests") > sum(before.points, "requests") + 10);
        assert.equal(sum(points, "errors"), 0);
    }
    assert.equal((await server.call("GET", "/v1/operations/history?span=1w")).status, 400);
});

test("calls that were too many are counted apart", async () => {
    const data = mkdtempSync(join(tmpdir(), "mimeo-api-"));
    const strict = await Server.start({ data, args: ["--creates-per-minute", "1"] });
    try {
        for (let i = 0; i < 5; i++) await strict.call("POST", "/v1/models/test/noop/predictions", { body: { input: {} } });
        const { points } = (await strict.call("GET", "/v1/operations/history")).json;
        assert.ok(points.reduce((total, point) => total + point.throttled, 0) >= 1);
    } finally {
        await strict.stop();
        rmSync(data, { recursive: true, force: true });
    }
});

test("it takes a token that may operate", async () => {
    const paths = [["GET", "/v1/operations"], ["GET", "/v1/operations/history"], ["POST", "/v1/operations/runners", { model: "test/noop" }], ["DELETE", "/v1/operations/runners/1"],
        ["POST", "/v1/weights/test/unpulled", { accept_license: true }], ["POST", "/v1/weights/test/unpulled/cancel"], ["DELETE", "/v1/weights/test/unpulled"]];
    for (const [method, path, body] of paths) assert.equal((await server.call(method, path, { token: null, body })).status, 401, path);
    const made = await server.call("POST", "/v1/account/tokens", { body: { name: "reader", scopes: ["read", "run"] } });
    assert.equal(made.status, 201, made.text);
    for (const [method, path, body] of paths) {
        const refused = await server.call(method, path, { token: made.json.token, body });
        assert.equal(refused.status, 403, path);
        assert.match(refused.json.detail, /"operate"/);
    }
    assert.equal((await server.call("GET", "/v1/weights", { token: made.json.token })).status, 200);
});
