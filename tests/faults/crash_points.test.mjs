// kill -9 at every step that changes the disk, one after the other (kill_at.c), of an upload, of a deletion and of a prediction
// with an output file: afterwards and after the next start there is exactly one blob per record, and no work file.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, TERMINAL, build } from "./server.mjs";

const STEPS_MAX = 60;

function filesIn(folder) {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => entry.name).sort();
}

// What the records name, as file names of the blob store.
async function namedBlobs(server) {
    const named = [];
    for (const file of (await server.call("GET", "/v1/files")).body.results) named.push(file.name);
    for (const { id } of (await server.call("GET", "/v1/predictions")).body.results) {
        const prediction = await server.until(id);
        if (prediction.output?.startsWith("http")) named.push(new URL(prediction.output).pathname.split("/").at(-1));
    }
    return named.sort();
}

async function assertNothingLeft(server, step) {
    const named = await namedBlobs(server);
    const noted = () => filesIn(`${server.data}/blobs/doubt`);
    for (let i = 0; i < 100 && noted().length > 0; i++) await sleep(20); // confirmed behind the answer's back
    assert.deepEqual(noted(), [], `step ${step}: in doubt`);
    assert.deepEqual(filesIn(`${server.data}/blobs`).map((name) => name.slice(33)).sort(), named, `step ${step}`);
    for (let i = 0; i < 100 && filesIn(`${server.data}/work`).length > 0; i++) await sleep(20);
    assert.deepEqual(filesIn(`${server.data}/work`), [], `step ${step}: work files`);
}

// prepare: before each kill; act: what is killed in the middle. Returns the number of steps.
async function killAtEveryStep(prepare, act) {
    const server = new Server(undefined, { args: ["--sync-output", "url"] });
    try {
        for (let step = 1; step < STEPS_MAX; step++) {
            await server.start({ env: { LD_PRELOAD: `${build}/kill-at.so`, MIMEO_KILL_AT: String(step) } });
            const prepared = await prepare(server);
            process.kill(server.process.pid, "SIGUSR2");
            const done = await act(server, prepared).then(() => true, () => false);
            const killed = await Promise.race([server.ended.then(() => true), sleep(done ? 300 : 2000).then(() => false)]);
            if (!killed) {
                assert.ok(done, `step ${step}: neither done nor killed`);
                await assertNothingLeft(server, step);
                return step - 1;
            }
            await server.start();
            await assertNothingLeft(server, step);
            await server.kill();
        }
        return STEPS_MAX;
    } finally {
        await server.remove();
    }
}

test("an upload", { timeout: 120_000 }, async (context) => {
    const steps = await killAtEveryStep(async () => {}, (server) => server.upload("x".repeat(1000)));
    context.diagnostic(`${steps} steps`);
    assert.ok(steps >= 4 && steps < STEPS_MAX, `${steps} steps`);
});

test("a deletion", { timeout: 120_000 }, async (context) => {
    const steps = await killAtEveryStep(async (server) => (await server.upload("x")).body.id, (server, id) => server.call("DELETE", `/v1/files/${id}`));
    context.diagnostic(`${steps} steps`);
    assert.ok(steps >= 3 && steps < STEPS_MAX, `${steps} steps`);
});

test("a prediction with an output file", { timeout: 120_000 }, async (context) => {
    const steps = await killAtEveryStep((server) => server.predict("noop", {}, 20), async (server) => {
        const made = await server.predict("copy_file", { image: "data:,x" }, 20);
        assert.ok(TERMINAL.has(made.body.status));
    });
    context.diagnostic(`${steps} steps`);
    assert.ok(steps >= 6 && steps < STEPS_MAX, `${steps} steps`);
});
