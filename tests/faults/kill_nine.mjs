// kill -9 of the server and of runners at random moments under load. Used by kill_nine.test.mjs (a short run) and, as
// a program, by `make faults` (node tests/faults/kill_nine.mjs CYCLES SECONDS [SEED]).
//
// What is asserted, from outside, as a client sees it:
//   lost:    an id that was answered 201 and is later unknown
//   stuck:   an id that does not reach a terminal state once the server is left alone
//   double:  a terminal state (or its completed_at) that changes after it was seen
//   orphans: a blob that no record names, or an output whose blob is not there
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, TERMINAL } from "./server.mjs";

// A small generator of its own, so that a failing seed can be run again.
function randomFrom(seed) {
    let state = seed >>> 0 || 1;
    return () => {
        state ^= state << 13; state >>>= 0;
        state ^= state >>> 17;
        state ^= state << 5; state >>>= 0;
        return state / 2 ** 32;
    };
}

// Blobs that no record names, and outputs without a blob.
async function countOrphans(server, say) {
    const named = [];
    for (let path = "/v1/predictions"; path;) {
        const page = (await server.call("GET", path)).body;
        for (const { id } of page.results) {
            const { output } = await server.until(id); // also those that were stored and never acknowledged
            if (output?.startsWith("http")) named.push(new URL(output).pathname.split("/")[2]);
        }
        path = page.next && new URL(page.next).pathname + new URL(page.next).search;
    }
    await server.stop(); // what is being confirmed is, now
    await server.start();
    const stored = readdirSync(`${server.data}/blobs`, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => entry.name.slice(0, 32));
    const alone = stored.filter((key) => !named.includes(key)).concat(named.filter((key) => !stored.includes(key)));
    for (const key of alone) say(`${key}: ${stored.includes(key) ? "no record names it" : "has no blob"}`);
    return alone.length;
}

export async function killNine({ cycles, seconds, seed, say = () => {} }) {
    const random = randomFrom(seed);
    const data = mkdtempSync(join(tmpdir(), "mimeo-faults-"));
    const server = new Server(data);
    const accepted = new Map(); // id -> null, or "status completed_at" once seen terminal
    const open = new Set();
    const result = { cycles: 0, serverKills: 0, runnerKills: 0, accepted: 0, lost: 0, stuck: 0, double: 0, statuses: {} };
    let running = true;

    // `known`: what was known when the request was sent; an answer that was under way while another saw the end may be older.
    const note = (prediction, known) => {
        if (!TERMINAL.has(prediction.status)) {
            if (known) { result.double++; say(`${prediction.id}: back from ${accepted.get(prediction.id)} to ${prediction.status}`); }
            return;
        }
        const seen = `${prediction.status} ${prediction.completed_at}`;
        const before = accepted.get(prediction.id);
        if (before && before !== seen) { result.double++; say(`${prediction.id}: ${before} became ${seen}`); }
        if (!before) { accepted.set(prediction.id, seen); open.delete(prediction.id); }
    };

    const inputs = [
        () => ["test/noop", { text: "x".repeat(Math.floor(random() * 2000)) }],
        () => ["test/noop", { text: "y" }],
        () => ["test/sleep", { seconds: random() * 0.05 }],
        () => ["test/sleep", { seconds: random() * 0.05 }],
        () => ["test/copy_file", { image: "data:,x" }],
    ];

    async function client() {
        while (running) {
            try {
                if (open.size > 300) { // enough is under way: look how it goes instead
                    const [first] = open;
                    const known = accepted.get(first);
                    open.delete(first); // to the back of the line
                    open.add(first);
                    const got = await server.call("GET", `/v1/predictions/${first}`);
                    if (got.status === 200) note(got.body, known);
                    continue;
                }
                const [model, input] = inputs[Math.floor(random() * inputs.length)]();
                const created = await server.call("POST", `/v1/models/${model}/predictions`, { input });
                if (created.status === 201 || created.status === 202) { accepted.set(created.body.id, null); open.add(created.body.id); note(created.body); }
                if (random() < 0.1 && created.body?.id) {
                    const known = accepted.get(created.body.id);
                    const canceled = await server.call("POST", `/v1/predictions/${created.body.id}/cancel`);
                    if (canceled.status === 200) note(canceled.body, known);
                }
                const ids = [...accepted.keys()];
                const any = ids[Math.floor(random() * ids.length)];
                if (any) {
                    const known = accepted.get(any);
                    const got = await server.call("GET", `/v1/predictions/${any}`);
                    if (got.status === 200) note(got.body, known);
                    else if (got.status === 404) { result.lost++; say(`${any}: lost`); accepted.delete(any); open.delete(any); }
                }
            } catch { await sleep(5); /* the server was killed under the request: it was not acknowledged */ }
        }
    }

    const started = Date.now();
    await server.start();
    const clients = Array.from({ length: 8 }, client);
    try {
        while (result.cycles < cycles && (Date.now() - started) / 1000 < seconds) {
            await sleep(20 + random() * 250);
            const runners = server.runnerPids();
            if (runners.length > 0 && random() < 0.5) {
                try { process.kill(runners[Math.floor(random() * runners.length)], "SIGKILL"); } catch { /* it had ended */ }
                result.runnerKills++;
            } else {
                await server.kill();
                await server.start();
                result.serverKills++;
            }
            result.cycles++;
            if (result.cycles % 100 === 0) say(`${result.cycles} cycles, ${accepted.size} accepted, ${open.size} open, ${result.lost} lost, ${result.double} double`);
        }
        running = false;
        await Promise.all(clients);
        // Left alone, everything must end.
        const deadline = Date.now() + 120_000;
        for (const id of accepted.keys()) {
            for (;;) {
                const known = accepted.get(id);
                const got = await server.call("GET", `/v1/predictions/${id}`);
                if (got.status === 404) { result.lost++; say(`${id}: lost`); break; }
                note(got.body, known);
                if (TERMINAL.has(got.body.status)) { result.statuses[got.body.status] = (result.statuses[got.body.status] ?? 0) + 1; break; }
                if (Date.now() > deadline) { result.stuck++; say(`${id}: stuck in ${got.body.status}`); break; }
                await sleep(20);
            }
        }
        result.accepted = accepted.size;
        result.orphans = await countOrphans(server, say);
    } finally {
        running = false;
        if (result.lost || result.stuck || result.double || result.orphans) say(server.log);
        await server.stop();
        rmSync(data, { recursive: true, force: true });
    }
    return result;
}

if (process.argv[1]?.endsWith("kill_nine.mjs")) {
    const [cycles = "1000", seconds = "600", seed = String(Date.now() % 1e9)] = process.argv.slice(2);
    console.log(`kill -9: up to ${cycles} cycles or ${seconds} s, seed ${seed}`);
    const result = await killNine({ cycles: Number(cycles), seconds: Number(seconds), seed: Number(seed), say: console.log });
    console.log(JSON.stringify(result));
    console.log(`${result.cycles} cycles (${result.serverKills} of the server, ${result.runnerKills} of a runner), ${result.accepted} accepted: ` +
        `${result.lost} lost, ${result.stuck} stuck, ${result.double} double terminal states, ${result.orphans} orphaned blobs`);
    process.exit(result.lost + result.stuck + result.double + result.orphans === 0 ? 0 : 1);
}
