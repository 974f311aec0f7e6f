// Every way in which a model's process can go wrong: one prediction ends with one sentence, and everybody else is served meanwhile
// and afterwards.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "./server.mjs";

let server;
// Builds with a sanitizer are slower (tools/run-tests says by how much).
const RUN_TIMEOUT_S = Math.max(5, 2 * Number(process.env.MIMEO_SLOWNESS ?? 1));
before(async () => { server = await new Server(undefined, { args: ["--run-timeout", String(RUN_TIMEOUT_S), "--memory-budget", "700", "--queue-limit", "5"] }).start(); });
after(() => server.remove());

const FATES = [
    ["crash", {}, /^The model's process was killed by signal 11 \(segmentation fault\); please try again\.$/],
    ["exit", { status: 7 }, /^The model's process ended unexpectedly \(exit status 7\); please try again\.$/],
    ["exit", { status: 0 }, /^The model's process ended unexpectedly \(exit status 0\); please try again\.$/],
    ["hang", {}, new RegExp(`^The prediction did not finish within ${RUN_TIMEOUT_S} seconds and was stopped\\.$`)],
    ["flood", { events: true }, /^The model wrote more than 16 MiB of logs and was stopped\.$/],
    ["flood", { events: false }, /^The model wrote more than 16 MiB of logs and was stopped\.$/],
    ["hog", {}, /^The model ran out of memory and was stopped\.$/],
    ["bad_frame", {}, /^The model's process sent a malformed message and was stopped; please try again\.$/],
    ["fail_load", {}, /^The weights of test\/fail_load are missing: type mimeo pull test\/fail_load\.$/],
];

// Others are served: one that was created now ends well, and soon.
async function assertServes() {
    const other = await server.predict("noop", { text: "other" }, 30);
    assert.equal(other.status, 201, other.text);
    assert.equal(other.body.status, "succeeded", other.text);
    assert.equal(other.body.output, "other");
}

for (const [model, input, sentence] of FATES) {
    test(`${model} ${JSON.stringify(input)}`, async () => {
        const created = await server.predict(model, input);
        assert.equal(created.status, 201, created.text);
        await assertServes();
        const end = await server.until(created.body.id, undefined, 30000);
        assert.equal(end.status, "failed", JSON.stringify(end).slice(0, 300));
        assert.match(end.error, sentence);
        assert.equal(end.output, null);
        assert.ok(end.completed_at && end.metrics.total_time >= 0);
        assert.ok((end.logs ?? "").length <= 1 << 21, `${end.logs?.length} bytes of logs`);
        await assertServes();
        // The model is not lost: the next one gets a process of its own, and the same fate.
        const next = await server.predict(model, input);
        assert.match((await server.until(next.body.id, undefined, 40000)).error, sentence);
    });
}

test("a stubborn one is canceled by force after the grace period", async () => {
    const created = await server.predict("stubborn", { seconds: 60 });
    await server.until(created.body.id, (prediction) => prediction.status === "processing");
    const asked = Date.now();
    const canceled = await server.call("POST", `/v1/predictions/${created.body.id}/cancel`);
    assert.equal(canceled.status, 200);
    await assertServes();
    const end = await server.until(created.body.id);
    assert.equal(end.status, "canceled");
    assert.equal(end.error, null);
    assert.ok(Date.now() - asked < 5000, "by force within the grace period of 300 ms, and not by the limit");
    const next = await server.predict("stubborn", { seconds: 0 }, 20);
    assert.equal(next.body.output, "slept");
});

test("one that loads is canceled, and one that waits behind it runs", async () => {
    const first = await server.predict("slow_load", { text: "first" });
    const second = await server.predict("slow_load", { text: "second" });
    await server.call("POST", `/v1/predictions/${first.body.id}/cancel`);
    assert.equal((await server.until(first.body.id)).status, "canceled");
    assert.equal((await server.until(second.body.id)).output, "second");
});

test("a full lane answers 429 with a time to come back, others go on, and it recovers", async () => {
    const created = [], refused = [];
    for (let i = 0; i < 20; i++) {
        const answer = await server.predict("sleep", { seconds: 0.3 });
        (answer.status === 201 ? created : refused).push(answer);
    }
    assert.ok(created.length >= 5 && refused.length > 0, `${created.length} created`);
    for (const answer of refused) {
        assert.equal(answer.status, 429);
        assert.equal(answer.headers.get("content-type"), "application/problem+json");
        assert.match(answer.body.detail, /try again/i);
        assert.ok(Number(answer.headers.get("retry-after")) > 0, "retry-after");
    }
    await assertServes();
    for (const answer of created) assert.equal((await server.until(answer.body.id)).status, "succeeded");
    assert.equal((await server.predict("sleep", { seconds: 0 }, 20)).body.output, "slept");
});

test("the runners go with the server", async () => {
    await server.predict("noop", {}, 20);
    const busy = await server.predict("stubborn", { seconds: 1.5 });
    await server.until(busy.body.id, (prediction) => prediction.status === "processing");
    const runners = server.runnerPids();
    assert.ok(runners.length >= 2, `${runners.length} runners`);
    await server.kill();
    const alive = () => runners.filter((pid) => { try { process.kill(pid, 0); return true; } catch { return false; } });
    for (let i = 0; i < 100 && alive().length > 0; i++) await sleep(20);
    assert.deepEqual(alive(), []);
    await server.start();
    assert.equal((await server.until(busy.body.id)).status, "succeeded"); // it is run again
});
