// How far a prediction is: its phase and place, what holds it up, its steps, and its timeline.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PIXEL, Server, ended, sleep, until } from "./server.mjs";

let server, replicate;
before(async () => {
    server = await Server.start({ allowPrivate: true });
    replicate = server.client();
});
after(async () => { await server.stop(); });

// A server of one test; stopped after it, however it ends.
async function another(t, options) {
    const other = await Server.start(options);
    t.after(() => other.stop());
    return other;
}

const create = async (model, input = {}, on = server) => {
    const { json, status, text } = await on.call("POST", `/v1/models/test/${model}/predictions`, { body: { input } });
    assert.equal(status, 201, text);
    return json.id;
};
const progress = async (id, on = server) => {
    const answer = await on.call("GET", `/v1/predictions/${id}/progress`);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(Object.keys(answer.json), ["status", "phase", "place", "waiting", "blocked", "step", "steps", "timeline"]);
    const times = answer.json.timeline.map(({ at }) => Date.parse(at));
    assert.deepEqual(times, [...times].sort((a, b) => a - b), "the timeline is in order");
    return answer.json;
};
const names = (told) => told.timeline.map(({ name }) => name);
const cancel = (id, on = server) => on.call("POST", `/v1/predictions/${id}/cancel`);

// Look until `test` holds; what was seen on the way.
async function watch(id, test, on = server) {
    const seen = [];
    for (const end = Date.now() + 15000; Date.now() < end; await sleep(15)) {
        const told = await progress(id, on);
        seen.push(told);
        if (test(told)) return seen;
    }
    assert.fail(`never seen; last: ${JSON.stringify(seen.at(-1))}`);
}

test("a place in the queue, through the first few of a lane and the long rest, until it moves up", async () => {
    const ids = [];
    for (let i = 0; i < 9; i++) ids.push(await create("sleep", { seconds: i === 1 ? 0.3 : 30 }));
    await watch(ids[0], (told) => told.phase === "running" && told.status === "processing");
    for (let i = 1; i < 4; i++) await watch(ids[i], (told) => told.phase === "queued" && told.place === i); // made ready ahead
    for (let i = 1; i < 9; i++) {
        const told = await progress(ids[i]);
        assert.deepEqual([told.status, told.phase, told.place, told.waiting, told.blocked, told.step], ["starting", "queued", i, 8, null, null], `${i}`);
    }
    assert.deepEqual(names(await progress(ids[8])), ["created"]);
    assert.deepEqual(names(await progress(ids[1])), ["created", "prepared"]);
    assert.deepEqual((({ place, waiting }) => [place, waiting])(await progress(ids[0])), [null, null]);
    await cancel(ids[5]);
    await cancel(ids[0]);
    await watch(ids[8], (told) => told.place === 5 && told.waiting === 5);
    await Promise.all(ids.map((id) => cancel(id)));
    for (const id of ids) await until(replicate, id, ended);
});

test("steps come from the last progress bar", async () => {
    const id = await create("sleep", { seconds: 1.5 });
    const seen = (await watch(id, (told) => told.phase === "ended")).filter((told) => told.steps !== null);
    assert.ok(seen.length > 2);
    assert.ok(seen.every((told) => told.steps === 150 && told.step >= 0 && told.step <= 150), JSON.stringify(seen.at(-1)));
    const steps = seen.map((told) => told.step);
    assert.deepEqual(steps, [...steps].sort((a, b) => a - b));
    assert.ok(new Set(steps).size > 2, `it moves: ${steps}`);
    const last = seen.at(-1);
    assert.deepEqual([last.status, last.place, last.blocked], ["succeeded", null, null]);
});

test("loading is seen and stays in the timeline; with a free runner there is none", async () => {
    const first = await create("slow_load"), second = await create("slow_load");
    const seen = await watch(first, (told) => told.phase === "ended");
    const loading = seen.filter((told) => told.phase === "loading");
    assert.ok(loading.length > 5, seen.map((told) => told.phase).join(" "));
    assert.ok(loading.every((told) => told.status === "starting" && told.place === null && names(told).includes("loading") && !names(told).includes("loaded")));
    const { timeline } = seen.at(-1);
    assert.deepEqual(timeline.map(({ name }) => name).sort(), ["completed", "created", "loaded", "loading", "prepared", "started"]);
    const at = Object.fromEntries(timeline.map(({ name, at }) => [name, Date.parse(at)]));
    assert.ok(at.loaded - at.loading >= 1400, "it takes a second and a half");
    assert.ok(at.loaded <= at.started && at.started <= at.completed && at.prepared <= at.started);
    const record = await until(replicate, first, ended);
    for (const name of ["created", "started", "completed"]) assert.equal(Date.parse(record[`${name}_at`]), at[name], name);
    await until(replicate, second, ended);
    assert.deepEqual(names(await progress(second)), ["created", "prepared", "started", "completed"], "the runner was free when it had its turn");
});

test("the second of a lane that loads is queued, in the place it has", async (t) => {
    const other = await another(t);
    const first = await create("slow_load", {}, other), second = await create("slow_load", {}, other);
    await watch(first, (told) => told.phase === "loading", other);
    await watch(second, (told) => told.phase === "queued" && told.place === 2 && told.waiting === 2, other);
    assert.equal((await progress(first, other)).phase, "loading");
});

test("preparing while its input is fetched", async (t) => {
    let answer;
    const slow = createServer((request, response) => { answer = () => response.writeHead(200, { "content-type": "image/png" }).end(PIXEL); });
    await new Promise((done) => slow.listen(0, "127.0.0.1", done));
    t.after(() => { slow.close(); slow.closeAllConnections(); });
    const id = await create("copy_file", { image: `http://127.0.0.1:${slow.address().port}/a.png` });
    await watch(id, (told) => told.phase === "preparing" && answer !== undefined);
    assert.ok(!names(await progress(id)).includes("prepared"));
    await sleep(200);
    answer();
    await until(replicate, id, ended);
    const told = await progress(id);
    const at = Object.fromEntries(told.timeline.map(({ name, at }) => [name, Date.parse(at)]));
    assert.equal(told.status, "succeeded");
    assert.ok(at.prepared - at.created >= 200);
});

test("what holds it up: memory that others use, a model that fails to load", async (t) => {
    const small = await another(t, { args: ["--memory-budget", "200"] });
    mkdirSync(join(small.data, "weights/test/fail_load"), { recursive: true }); // so that it may pass, to who tries again
    const running = await create("sleep", { seconds: 30 }, small);
    await watch(running, (told) => told.phase === "running", small);
    const waiting = await create("noop", {}, small);
    const blocked = (await watch(waiting, (told) => told.blocked !== null && told.phase !== "preparing", small)).at(-1);
    assert.deepEqual([blocked.phase, blocked.place], ["queued", 1]);
    assert.match(blocked.blocked, /waits for memory that other models use/);
    assert.equal((await progress(running, small)).blocked, null);
    await cancel(running, small);
    await watch(waiting, (told) => told.phase === "ended", small);
    const failing = await create("fail_load", {}, small);
    const failed = await watch(failing, (told) => told.phase === "ended", small);
    const said = failed.map((told) => told.blocked).filter((sentence) => sentence !== null && !/waits for memory/.test(sentence));
    assert.ok(said.length > 0, "it was told while it was tried again");
    for (const sentence of said) assert.equal(sentence, "The model failed to load and is tried again: There is no memory for the weights.");
    assert.equal(failed.at(-1).blocked, null);
});

test("the timeline outlives the data and the server; a prediction's own answer has nothing of it", async (t) => {
    const first = await Server.start();
    t.after(() => first.process.kill("SIGKILL")); // when it was not stopped below
    const id = await create("sleep", { seconds: 0.2 }, first);
    await watch(id, (told) => told.phase === "ended", first);
    const before = await progress(id, first);
    assert.equal((await first.call("DELETE", `/v1/predictions/${id}`)).status, 204);
    const removed = await progress(id, first);
    assert.deepEqual(removed.timeline, before.timeline);
    assert.deepEqual([before.steps, removed.steps], [20, null]);
    await first.stop({ keep: true });
    const second = await another(t, { data: first.data });
    assert.deepEqual(await progress(id, second), removed);
    const { json } = await second.call("GET", `/v1/predictions/${id}`);
    assert.deepEqual(Object.keys(json).sort(), ["completed_at", "created_at", "data_removed", "error", "id", "input", "logs", "metrics", "model", "output", "source",
        "started_at", "status", "urls", "version"]);
});

test("one that ended before it began says so", async () => {
    const busy = await create("sleep", { seconds: 30 }), id = await create("sleep", { seconds: 30 });
    await watch(busy, (told) => told.phase === "running");
    await cancel(id);
    const told = await progress(id);
    assert.deepEqual([told.status, told.phase, told.place], ["canceled", "ended", null]);
    assert.ok(!names(told).includes("started") && names(told).at(-1) === "completed");
    await cancel(busy);
});

test("other people's, unknown ones and nonsense are not found", async () => {
    const id = await create("noop");
    const stranger = server.command("tokens", "create", "--account", "stranger").match(/r8_\w+/)[0];
    assert.equal((await server.call("GET", `/v1/predictions/${id}/progress`, { token: stranger })).status, 404);
    assert.equal((await server.call("GET", `/v1/predictions/${id}/progress`, { token: null })).status, 401);
    assert.equal((await server.call("GET", "/v1/predictions/0123456789abcdefghjkmnpqrs/progress")).status, 404);
    assert.equal((await server.call("GET", "/v1/predictions/nonsense/progress")).status, 404);
});
