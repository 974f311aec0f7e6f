// kill -9 of the server and of runners at random moments under load. Used by kill_nine.test.mjs (a short run) and, as
// a program, by `make faults` (node tests/faults/kill_nine.mjs CYCLES SECONDS [SEED]).
//
// What is asserted, from outside, as a client sees it:
//   lost:     an id that was answered 201 and is later unknown
//   stuck:    an id, or a stream, that does not reach its end once the server is left alone
//   double:   a terminal state (or its completed_at) that changes after it was seen
//   orphans:  a blob that no record names, or an output whose blob is not there
//   untold:   an end with a webhook that its receiver has never taken
//   mistold:  a webhook with another end than the record's, after the end, of nothing stored, or with a bad signature
//   twice:    an idempotency key that has made two predictions
//   unbooked: runs in the books that are not in the records, or the reverse
//   versions: trained versions without a training that succeeded, or the reverse
//   overdue:  what a deadline has not ended, or a deployment that is gone
//   torn:     a stream, read on over kills, that lacks a piece or repeats one
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { auditBlobs, auditBooks, auditEnds, auditKeys, auditLanes, auditTrainings, auditWebhooks, readAll } from "./audit.mjs";
import { Load, prepare } from "./load.mjs";
import { Receiver } from "./receiver.mjs";
import { Server } from "./server.mjs";

export const WRONG = ["lost", "stuck", "double", "orphans", "untold", "mistold", "twice", "unbooked", "versions", "overdue", "torn"];
const CLIENTS = 8;

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

// Once nobody kills any more.
async function audit(server, receiver, load, result) {
    await auditEnds(load, result);
    const all = await readAll(server);
    await auditKeys(load, all, result);
    await auditWebhooks(receiver, all, result, load.say);
    await auditLanes(server, all, load, result);
    await auditTrainings(server, all, load, result); // makes predictions
    const now = await readAll(server);
    await server.stop(); // what is being confirmed is, now
    result.unbooked = auditBooks(server.data, now, load.say);
    await server.start();
    result.orphans = auditBlobs(server.data, now, load.say);
    result.records = now.length;
}

export async function killNine({ cycles, seconds, seed, say = () => {} }) {
    const random = randomFrom(seed);
    const data = mkdtempSync(join(tmpdir(), "mimeo-faults-"));
    const server = new Server(data, { args: ["--allow-private-urls", "--webhook-first-retry", "50", "--webhook-timeout", "1000", "--retention", "0", "--deployment-quiet", "0"] });
    const fails = () => { const at = random(); return at < 0.1 ? [500, 0] : at < 0.15 ? [200, 300] : at < 0.18 ? [0, 0] : at < 0.19 ? [200, 1500] : [200, 0]; };
    const receiver = await new Receiver(fails).start();
    const load = new Load(server, receiver, random, say);
    const result = { cycles: 0, serverKills: 0, runnerKills: 0, accepted: 0, statuses: {}, ...Object.fromEntries(WRONG.map((name) => [name, 0])), retold: 0 };
    const started = Date.now();
    let clients = [];
    try {
        await server.start();
        await prepare(server);
        receiver.secret = (await server.call("GET", "/v1/webhooks/default/secret")).body.key;
        clients = Array.from({ length: CLIENTS }, () => load.client());
        while (result.cycles < cycles && (Date.now() - started) / 1000 < seconds) {
            await sleep(20 + random() * 250);
            const runners = server.runnerPids();
            if (runners.length > 0 && random() < 0.5) {
                try { process.kill(runners[Math.floor(random() * runners.length)], "SIGKILL"); } catch { /* it had ended */ }
                result.runnerKills++;
            } else {
                await server.kill();
                await server.start();
                load.repeat();
                result.serverKills++;
            }
            result.cycles++;
            if (result.cycles % 100 === 0) say(`${result.cycles} cycles, ${load.accepted.size} accepted, ${load.open.size} open, ${load.lost} lost, ${load.double} double`);
        }
        load.running = false;
        await Promise.all(clients);
        await audit(server, receiver, load, result);
        const { lost, double, torn, streamed, resumed, repeated } = load;
        Object.assign(result, { lost, double, torn, streamed, resumed, repeated, keys: load.keys.size, accepted: load.accepted.size });
    } finally {
        load.running = false;
        if (WRONG.some((name) => result[name])) say(server.log);
        await server.stop();
        await receiver.stop();
        rmSync(data, { recursive: true, force: true });
    }
    return result;
}

export function describe(result) {
    return `${result.cycles} cycles (${result.serverKills} of the server, ${result.runnerKills} of a runner), ${result.accepted} accepted: ` +
        `${result.lost} lost, ${result.stuck} stuck, ${result.double} double terminal states, ${result.orphans} orphaned blobs\n` +
        `${result.webhooks} webhooks of ends: ${result.untold} untold, ${result.mistold} wrong, ${result.retold} told again; ` +
        `${result.keys} idempotency keys, ${result.repeated} repeats: ${result.twice} made two; ${result.records} records: ${result.unbooked} not in the books\n` +
        `${result.trainings} trainings, ${result.trained} versions: ${result.versions} wrong; ${result.deadlines} deadlines: ${result.overdue} wrong; ` +
        `${result.streamed} streams, resumed ${result.resumed} times: ${result.torn} torn`;
}

if (process.argv[1]?.endsWith("kill_nine.mjs")) {
    const [cycles = "1000", seconds = "600", seed = String(Date.now() % 1e9)] = process.argv.slice(2);
    console.log(`kill -9: up to ${cycles} cycles or ${seconds} s, seed ${seed}`);
    const result = await killNine({ cycles: Number(cycles), seconds: Number(seconds), seed: Number(seed), say: console.log });
    console.log(JSON.stringify(result));
    console.log(describe(result));
    process.exit(WRONG.every((name) => result[name] === 0) ? 0 : 1);
}
