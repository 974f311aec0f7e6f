// kill -9 at every step that changes the disk (kill_at.c) of something that is done over and over, on one data folder: what is
// left after each, and after the next start.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { filesOf } from "./audit.mjs";
import { Server, build } from "./server.mjs";

export const STEPS_MAX = 80;

export function filesIn(folder) {
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => entry.name).sort();
}

// Poll until test() holds; else the assertion says `what`.
export async function eventually(test, what, ms = 15000) {
    for (const end = Date.now() + ms; !await test(); await sleep(20)) assert.ok(Date.now() < end, what);
}

export async function readEnds(server) {
    const ends = [];
    for (const kind of ["predictions", "trainings"])
        for (const { id } of (await server.call("GET", `/v1/${kind}`)).body.results) ends.push(await server.until(id));
    return ends;
}

// One blob per record, nothing in doubt, no work file. Everything has ended then.
export async function assertNothingLeft(server, step) {
    const ends = await readEnds(server);
    const named = ends.flatMap(({ output }) => filesOf(output));
    for (const { name } of (await server.call("GET", "/v1/files")).body.results) named.push(name);
    const noted = () => filesIn(`${server.data}/blobs/doubt`);
    for (let i = 0; i < 100 && noted().length > 0; i++) await sleep(20); // confirmed behind the answer's back
    assert.deepEqual(noted(), [], `step ${step}: in doubt`);
    const stored = filesIn(`${server.data}/blobs`).map((name) => (named.includes(name.slice(33)) ? name.slice(33) : name.slice(0, 32)));
    assert.deepEqual(stored.sort(), named.sort(), `step ${step}`);
    for (let i = 0; i < 100 && filesIn(`${server.data}/work`).length > 0; i++) await sleep(20);
    assert.deepEqual(filesIn(`${server.data}/work`), [], `step ${step}: work files`);
    return ends;
}

// prepare: before each kill; act: what is killed in the middle, with what prepare gave; check: after the next start, with that and
// what act gave (undefined: it was not answered). args: of the server. first: once. Returns the number of steps.
export async function killAtEveryStep({ first = async () => {}, prepare = async () => {}, act, check = async () => {}, args = [], quiet_ms = 300 }) {
    const server = new Server(undefined, { args: ["--sync-output", "url", ...args] });
    try {
        await server.start();
        await first(server);
        await server.stop();
        for (let step = 1; step < STEPS_MAX; step++) {
            await server.start({ env: { LD_PRELOAD: `${build}/kill-at.so`, MIMEO_KILL_AT: String(step) } });
            const prepared = await prepare(server, step);
            process.kill(server.process.pid, "SIGUSR2");
            const [done, made] = await act(server, prepared, step).then((made) => [true, made], (error) => [false, error]);
            const killed = await Promise.race([server.ended.then(() => true), sleep(done ? quiet_ms : 2000).then(() => false)]);
            assert.ok(done || killed, `step ${step}: neither done nor killed: ${made}`);
            if (!killed) await server.kill(); // it would be in what follows
            await server.start();
            await check(server, prepared, done ? made : undefined, step);
            await assertNothingLeft(server, step);
            if (!killed) return step - 1;
            await server.kill();
        }
        return STEPS_MAX;
    } finally {
        await server.remove();
    }
}

export function assertSteps(context, steps, least) {
    context.diagnostic(`${steps} steps`);
    assert.ok(steps >= least && steps < STEPS_MAX, `${steps} steps`);
}
