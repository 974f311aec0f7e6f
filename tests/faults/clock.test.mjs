// Time passes while the server is away, or its clock is set: deadlines, and how long idempotency keys count. The clock is set by a
// preloaded library (kill_at.c).
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { auditBooks } from "./audit.mjs";
import { readEnds } from "./crash_points.mjs";
import { Server, TERMINAL, build } from "./server.mjs";

const HOUR_S = 3600;
const shifted = (seconds) => ({ env: { LD_PRELOAD: `${build}/kill-at.so`, MIMEO_CLOCK_SHIFT_S: String(seconds) } });

async function withServer(body) {
    const server = new Server();
    try { await body(await server.start()); } finally { await server.remove(); }
}

const late = (server) => server.call("POST", "/v1/models/test/sleep/predictions", { input: { seconds: 60 } }, { "cancel-after": "5s" });
const age_s = ({ created_at, completed_at }) => (Date.parse(completed_at) - Date.parse(created_at)) / 1000;

test("a deadline counts from the creation, over a kill", { timeout: 60_000 }, async () => {
    await withServer(async (server) => {
        const running = (await late(server)).body.id, queued = (await late(server)).body.id;
        await server.until(running, ({ status }) => status === "processing");
        await server.kill();
        await sleep(1000);
        await server.start();
        for (const id of [running, queued]) {
            const ended = await server.until(id);
            assert.equal(ended.status, "canceled");
            assert.ok(age_s(ended) >= 4.99 && age_s(ended) < 7, `after ${age_s(ended)} s`);
        }
    });
});

test("a deadline that passes while the server is away ends what ran and what waited at the start", { timeout: 60_000 }, async () => {
    await withServer(async (server) => {
        const running = (await late(server)).body.id, queued = (await late(server)).body.id;
        const free = (await server.predict("noop", { text: "free" }, 20)).body.id;
        await server.until(running, ({ status }) => status === "processing");
        await server.kill();
        await server.start(shifted(HOUR_S / 2));
        for (const id of [running, queued]) {
            const { body } = await server.call("GET", `/v1/predictions/${id}`);
            assert.equal(body.status, "canceled", "before the first request");
            assert.ok(age_s(body) >= HOUR_S / 2);
        }
        assert.equal((await server.call("GET", `/v1/predictions/${free}`)).body.output, "free");
        assert.equal((await server.predict("noop", { text: "later" }, 20)).body.output, "later");
        assert.equal(auditBooks(server.data, await readEnds(server), assert.fail), 0);
    });
});

test("a clock that was set back: what had begun ends, nothing takes less than no time", { timeout: 60_000 }, async () => {
    await withServer(async (server) => {
        const running = (await late(server)).body.id;
        const plain = (await server.call("POST", "/v1/models/test/text_list/predictions", { input: { text: "a b c", pause_ms: 500 } })).body.id;
        await server.until(plain, ({ status }) => status === "processing");
        await server.kill();
        await server.start(shifted(-HOUR_S));
        const ended = await server.until(plain);
        assert.deepEqual(ended.output, ["a", "b", "c"]);
        assert.ok(ended.metrics.total_time >= ended.metrics.predict_time && ended.metrics.predict_time >= 1, JSON.stringify(ended.metrics));
        await server.call("POST", `/v1/predictions/${running}/cancel`);
        assert.ok(TERMINAL.has((await server.until(running)).status));
        assert.equal((await server.predict("noop", { text: "now" }, 20)).body.output, "now");
    });
});

test("an idempotency key counts for a day from the creation of what it made, however often the server starts", { timeout: 60_000 }, async () => {
    await withServer(async (server) => {
        const create = async () => {
            const answer = await server.call("POST", "/v1/models/test/noop/predictions", { input: { text: "once" } }, { "idempotency-key": "a key" });
            assert.equal(answer.status, 201, answer.text);
            return answer.body.id;
        };
        const first = await create();
        for (const hours of [1, 12, 23]) {
            await server.kill();
            await server.start(shifted(hours * HOUR_S));
            assert.equal(await create(), first, `after ${hours} hours; sending it again is no new beginning`);
        }
        await server.kill();
        await server.start(shifted(25 * HOUR_S));
        const second = await create();
        assert.notEqual(second, first);
        await server.kill();
        await server.start(shifted(48 * HOUR_S));
        assert.equal(await create(), second);
        assert.equal((await readEnds(server)).length, 2);
    });
});
