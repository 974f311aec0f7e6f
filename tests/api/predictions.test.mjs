// Predictions as the official client makes, follows, lists and cancels them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, ended, sleep, until, versionOf } from "./server.mjs";

let server, replicate;
before(async () => { server = await Server.start(); replicate = server.client(); });
after(async () => { await server.stop(); });

const noop = versionOf("noop");

test("run() by version and by name gives the output", async () => {
    assert.equal(await replicate.run(`test/noop:${noop}`, { input: { text: "one" } }), "one");
    assert.equal(await replicate.run("test/noop", { input: { text: "two" } }), "two");
});

test("run() in poll mode gives the output", async () => {
    assert.equal(await replicate.run("test/noop", { input: { text: "three" }, wait: { mode: "poll", interval: 50 } }), "three");
});

test("run() gives a list of text pieces", async () => {
    assert.deepEqual(await replicate.run("test/text_list", { input: { text: "a b c" } }), ["a", "b", "c"]);
});

test("the guide's code: create, then poll every second", async () => {
    let prediction = await replicate.predictions.create({ version: noop, input: { text: "polled" } });
    assert.equal(prediction.status, "starting");
    let attempts = 0;
    while (prediction.status !== "succeeded" && prediction.status !== "failed" && attempts < 60) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        prediction = await replicate.predictions.get(prediction.id);
        attempts++;
    }
    assert.equal(prediction.status, "succeeded");
    assert.equal(prediction.output, "polled");
});

test("a created prediction has the public shape, keys in order", async () => {
    const answer = await server.call("POST", "/v1/predictions", { body: { version: noop, input: { text: "é", extra: [1.5, null, true], a: 1 } } });
    assert.equal(answer.status, 201);
    const prediction = answer.json;
    assert.deepEqual(Object.keys(prediction), ["id", "model", "version", "input", "logs", "output", "data_removed", "error",
        "source", "status", "created_at", "urls"]);
    assert.match(prediction.id, /^[0-9a-hjkmnp-tv-z]{26}$/);
    assert.equal(prediction.model, "test/noop");
    assert.equal(prediction.version, noop);
    assert.equal(JSON.stringify(prediction.input), '{"a":1,"extra":[1.5,null,true],"text":"é"}');
    assert.equal(prediction.logs, "");
    assert.equal(prediction.output, null);
    assert.equal(prediction.data_removed, false);
    assert.equal(prediction.error, null);
    assert.equal(prediction.status, "starting");
    assert.match(prediction.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/);
    assert.equal(prediction.urls.get, `${server.v1}/predictions/${prediction.id}`);
    assert.equal(prediction.urls.cancel, `${server.v1}/predictions/${prediction.id}/cancel`);
    assert.deepEqual(Object.keys(prediction.urls), ["cancel", "get", "stream", "web"]);
    assert.match(prediction.urls.stream, new RegExp(`^${server.url}/v1/streams/[0-9a-z]{52}$`));
    assert.ok(prediction.urls.web.startsWith(`${server.url}/`) && prediction.urls.web.endsWith(`/${prediction.id}`));
    assert.equal(answer.headers.get("location"), prediction.urls.get);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.ok(!answer.text.endsWith("\n"));
});

test("created_at is now, in milliseconds", async () => {
    const times = [];
    for (let i = 0; i < 5; i++) {
        times.push((await replicate.predictions.create({ version: noop, input: {} })).created_at);
        assert.ok(Math.abs(Date.parse(times[i]) - Date.now()) < 2000, times[i]);
        await sleep(3);
    }
    assert.ok(times.some((time) => /\.\d{3}Z$/.test(time)), "three digits, unless they end in zeros");
    assert.equal(new Set(times).size, times.length);
});

test("without Prefer the answer comes at once", async () => {
    const began = performance.now();
    const answer = await server.call("POST", "/v1/predictions", { body: { version: versionOf("sleep"), input: { seconds: 30 } } });
    assert.ok(performance.now() - began < 1000);
    assert.deepEqual([answer.status, answer.json.status, answer.json.output], [201, "starting", null]);
    assert.equal(answer.headers.get("preference-applied"), null);
    assert.equal((await replicate.predictions.cancel(answer.json.id)).status, "canceled");
});

test("a finished prediction has times and metrics", async () => {
    const { id } = await replicate.predictions.create({ version: noop, input: { text: "done" } });
    const prediction = await until(replicate, id, ended);
    assert.equal(prediction.status, "succeeded");
    assert.equal(prediction.output, "done");
    assert.deepEqual(Object.keys(prediction), ["id", "model", "version", "input", "logs", "output", "data_removed", "error",
        "source", "status", "created_at", "started_at", "completed_at", "urls", "metrics"]);
    assert.ok(Date.parse(prediction.started_at) >= Date.parse(prediction.created_at));
    assert.ok(Date.parse(prediction.completed_at) >= Date.parse(prediction.started_at));
    assert.equal(typeof prediction.metrics.predict_time, "number");
    assert.ok(prediction.metrics.total_time >= prediction.metrics.predict_time);
    const answer = await server.call("GET", `/v1/predictions/${id}`);
    assert.equal(answer.status, 200);
});

test("every form of version is taken", async () => {
    for (const version of [noop, `test/noop:${noop}`, "test/noop"]) {
        const answer = await server.call("POST", "/v1/predictions", { body: { version, input: {} } });
        assert.equal(answer.status, 201, version);
        assert.equal(answer.json.version, noop);
        assert.equal(answer.json.model, "test/noop");
    }
});

test("Prefer: wait answers when it is done", async () => {
    for (const prefer of ["wait", "wait=10"]) {
        const answer = await server.call("POST", "/v1/models/test/noop/predictions", { body: { input: { text: "now" } }, headers: { prefer } });
        assert.equal(answer.status, 201);
        assert.equal(answer.headers.get("preference-applied"), prefer);
        assert.equal(answer.json.status, "succeeded");
        assert.equal(answer.json.output, "now");
        assert.ok(answer.headers.get("location").endsWith(answer.json.id));
    }
});

test("Prefer: wait=1 gives up with 202 and starting, though it runs", async () => {
    await replicate.run("test/sleep", { input: { seconds: 0 } }); // it is loaded then
    const began = Date.now();
    const answer = await server.call("POST", "/v1/models/test/sleep/predictions", { body: { input: { seconds: 3 } }, headers: { prefer: "wait=1" } });
    const answered = Date.now();
    assert.ok(Date.now() - began > 900 && Date.now() - began < 1450, `${Date.now() - began} ms`);
    assert.equal(answer.status, 202);
    assert.equal(answer.json.status, "starting");
    assert.ok(!("started_at" in answer.json));
    assert.equal(answer.headers.get("preference-applied"), "wait=1");
    const now = await replicate.predictions.get(answer.json.id);
    assert.equal(now.status, "processing");
    assert.ok(Date.parse(now.started_at) < answered - 100, "it ran while the answer was waited for");
    assert.equal((await until(replicate, answer.json.id, ended)).output, "slept");
});

test("run() with a short wait goes on by polling", async () => {
    assert.equal(await replicate.run("test/sleep", { input: { seconds: 1.5 }, wait: { mode: "block", timeout: 1, interval: 50 } }), "slept");
});

test("an unknown preference is ignored", async () => {
    for (const prefer of ["wait=0", "wait=-1", "wait=1.5", "wait=never", "wait=", "respond-async", ""]) {
        const answer = await server.call("POST", "/v1/models/test/sleep/predictions", { body: { input: { seconds: 0.1 } }, headers: { prefer } });
        assert.deepEqual([answer.status, answer.json.status], [201, "starting"], prefer);
        assert.equal(answer.headers.get("preference-applied"), null);
    }
});

test("a failure is told, and run() throws", async () => {
    const { id } = await replicate.predictions.create({ model: "test/fail_load", input: {} });
    const prediction = await until(replicate, id, ended, 60000);
    assert.equal(prediction.status, "failed");
    assert.equal(prediction.output, null);
    assert.ok(prediction.error.length > 0);
    await assert.rejects(replicate.run("test/fail_load", { input: {} }), /Prediction failed: /);
});

test("what a model gave before it failed is no output", async () => {
    const { id } = await replicate.predictions.create({ version: versionOf("reports"), input: { text: "a line", fail: true } });
    const prediction = await until(replicate, id, ended);
    assert.deepEqual([prediction.status, prediction.output, prediction.error], ["failed", null, "It was told to fail."]);
    assert.match(prediction.logs, /^a line$/m);
});

test("a running prediction is canceled", async () => {
    const { id } = await replicate.predictions.create({ model: "test/sleep", input: { seconds: 60 } });
    await until(replicate, id, (prediction) => prediction.status === "processing");
    const prediction = await replicate.predictions.cancel(id);
    assert.equal(prediction.status, "canceled");
    assert.equal(prediction.output, null);
    assert.equal(prediction.error, null);
    assert.ok(prediction.completed_at);
    const again = await server.call("POST", `/v1/predictions/${id}/cancel`, { headers: { "content-type": "application/json" } });
    assert.equal(again.status, 200);
    assert.equal(again.json.status, "canceled");
});

test("a queued prediction is canceled before it begins", async () => {
    const first = await replicate.predictions.create({ model: "test/sleep", input: { seconds: 60 } });
    const second = await replicate.predictions.create({ model: "test/sleep", input: { seconds: 60 } });
    await until(replicate, first.id, (prediction) => prediction.status === "processing");
    const answer = await replicate.predictions.cancel(second.id);
    assert.equal(answer.status, "canceled");
    assert.ok(!answer.started_at);
    await replicate.predictions.cancel(first.id);
    await until(replicate, first.id, ended);
});

test("a waiting request is answered when its prediction is canceled", async () => {
    const waiting = server.call("POST", "/v1/models/test/sleep/predictions", { body: { input: { seconds: 60 } }, headers: { prefer: "wait" } });
    let running;
    for (let i = 0; i < 200 && !running; i++, await sleep(20))
        running = (await replicate.predictions.list()).results.find((p) => p.model === "test/sleep" && !ended(p));
    await replicate.predictions.cancel(running.id);
    const answer = await waiting;
    assert.equal(answer.status, 201);
    assert.equal(answer.json.status, "canceled");
});

test("run() with an aborted signal cancels", async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 300);
    await replicate.run("test/sleep", { input: { seconds: 60 }, wait: { mode: "poll", interval: 50 }, signal: abort.signal }).catch(() => {});
    const last = (await replicate.predictions.list()).results.find((p) => p.model === "test/sleep");
    assert.equal((await until(replicate, last.id, ended)).status, "canceled");
});

test("webhook fields and stream are taken; webhooks are echoed", async () => {
    const answer = await server.call("POST", "/v1/predictions",
        { body: { webhook: "https://example.invalid/hook", webhook_events_filter: ["completed"], stream: true, input: {}, version: noop } });
    assert.equal(answer.status, 201);
    assert.equal(answer.json.webhook, "https://example.invalid/hook");
    assert.deepEqual(answer.json.webhook_events_filter, ["completed"]);
});

test("the list has pages of 100, newest first, both ways", async () => {
    for (let i = 0; i < 110; i++) await server.call("POST", "/v1/predictions", { body: { version: noop, input: { text: String(i) } } });
    const seen = [];
    let pages = 0;
    for await (const page of replicate.paginate(replicate.predictions.list)) {
        pages++;
        assert.ok(page.length <= 100);
        seen.push(...page);
    }
    assert.ok(pages >= 2);
    assert.equal(new Set(seen.map((p) => p.id)).size, seen.length);
    assert.deepEqual(seen.slice(0, 110).map((p) => p.input.text), Array.from({ length: 110 }, (_, i) => String(109 - i)));
    const first = await server.call("GET", "/v1/predictions");
    assert.match(first.text, /^\{"next":"http:\/\/[^"]+\/v1\/predictions\?cursor=[A-Za-z0-9_-]+","previous":null,"results":\[/);
    assert.equal(first.json.results.length, 100);
    const second = await (await fetch(first.json.next, { headers: { authorization: server.client().auth ? `Bearer ${server.client().auth}` : "" } })).json();
    const back = await (await fetch(second.previous, { headers: { authorization: `Bearer ${server.client().auth}` } })).json();
    assert.deepEqual(back.results.map((p) => p.id), first.json.results.map((p) => p.id));
    assert.equal(back.previous, null);
    assert.ok(back.next);
});

test("the list is filtered by time and source, and keeps the filter in its links", async () => {
    const all = (await server.call("GET", "/v1/predictions")).json.results;
    const middle = all[50].created_at;
    const older = await server.call("GET", `/v1/predictions?created_before=${middle}&unknown=1`);
    assert.ok(older.json.results.every((p) => new Date(p.created_at) <= new Date(middle)));
    assert.ok(older.json.results.some((p) => p.id === all[50].id), "created_before takes its own time along");
    assert.ok(!older.json.results.some((p) => p.id === all[0].id));
    const newer = await server.call("GET", `/v1/predictions?created_after=${encodeURIComponent(middle.replace("Z", "+00:00"))}`);
    assert.ok(newer.json.results.length >= 50 && newer.json.results.length <= 60);
    assert.ok(newer.json.results.some((p) => p.id === all[50].id), "created_after takes its own time along");
    assert.ok(newer.json.results.every((p) => new Date(p.created_at) >= new Date(middle)));
    assert.deepEqual((await server.call("GET", "/v1/predictions?source=web")).json.results, []);
    const page = await server.call("GET", "/v1/predictions?created_after=2020-01-01");
    assert.match(page.json.next, /&created_after=2020-01-01$/);
    assert.equal((await server.call("GET", "/v1/predictions?created_after=soon")).status, 400);
    assert.equal((await server.call("GET", "/v1/predictions?cursor=x")).status, 400);
});

test("source=web gives those of the last 14 days", async () => {
    const first = await Server.start();
    const made = [];
    for (let i = 0; i < 4; i++) made.push((await first.client().predictions.create({ version: noop, input: {} })).id);
    for (const id of made) await until(first.client(), id, ended);
    await first.stop({ keep: true });
    // Mimeo itself makes none by web: these records say they were, 0, 13 and 15 days ago.
    execFileSync("python3", ["-c", `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for id, days in zip(sys.argv[2:], (0, 13, 15)):
    db.execute("UPDATE predictions SET source = 'web', created_us = created_us - ? WHERE id = ?", (days * 86400000000, id))
db.commit()`, join(first.data, "mimeo.db"), ...made]);
    const second = await Server.start({ data: first.data });
    try {
        const ids = async (query) => (await second.call("GET", `/v1/predictions${query}`)).json.results.map((one) => one.id);
        assert.deepEqual(await ids("?source=web"), [made[0], made[1]]);
        assert.deepEqual((await ids("")).sort(), [...made].sort(), "without it, all");
        assert.equal((await second.call("GET", `/v1/predictions/${made[1]}`)).json.source, "web");
    } finally {
        await second.stop();
    }
});

test("a server that ends answers who waits", async () => {
    const ending = await Server.start();
    const waiting = ending.call("POST", "/v1/models/test/sleep/predictions", { body: { input: { seconds: 30 } }, headers: { prefer: "wait" } });
    let running;
    for (let i = 0; i < 500 && running?.status !== "processing"; i++, await sleep(20)) [running] = (await ending.client().predictions.list()).results;
    const stopped = ending.stop();
    const answer = await waiting;
    assert.equal(answer.status, 202);
    assert.equal(answer.json.status, "starting");
    assert.equal(await stopped, 0, ending.log);
});

test("a full queue is 429 with when to come again", async () => {
    const small = await Server.start({ args: ["--queue-limit", "1"] });
    try {
        let answer;
        for (let i = 0; i < 10 && answer?.status !== 429; i++) answer = await small.call("POST", "/v1/models/test/sleep/predictions", { body: { input: { seconds: 30 } } });
        assert.equal(answer.status, 429);
        assert.equal(answer.headers.get("retry-after"), "1");
        assert.deepEqual(Object.keys(answer.json), ["detail", "status", "retry_after"]);
        assert.equal(answer.headers.get("content-type"), "application/problem+json");
    } finally { await small.stop(); }
});
