// kill -9 of the server and of runners at random moments under load. Used by kill_nine.test.mjs (a short run) and, as
// a program, by `make faults` (node tests/faults/kill_nine.mjs CYCLES SECONDS [SEED]).
//
// What is asserted, from outside, as a client sees it:
//   lost:    an id that was answered 201 and is later unknown
//   stuck:   an id that does not reach a terminal state once the server is left alone
//   double:  a terminal state (or its completed_at) that changes after it was seen
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const TOKEN = "r8_faults1";
const TERMINAL = new Set(["succeeded", "failed", "canceled", "aborted"]);
const build = process.env.MIMEO_BUILD ?? "build";

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

export class Server {
    constructor(data) { this.data = data; this.log = ""; }

    async start() {
        this.process = spawn(`${build}/mimeo`, ["serve", "--listen", "127.0.0.1:0", "--data", this.data, "--runner", `${build}/mimeo-test-runner`,
            "--manifests", "tests/models", "--cancel-grace", "300", "--log-level", "warn"],
            { env: { ...process.env, MIMEO_TOKEN: TOKEN }, stdio: ["ignore", "pipe", "pipe"] });
        this.process.stderr.on("data", (chunk) => { this.log = (this.log + chunk).slice(-20000); });
        this.ended = new Promise((resolve) => this.process.once("exit", resolve));
        this.url = await new Promise((resolve, reject) => {
            let text = "";
            this.process.stdout.on("data", (chunk) => {
                text += chunk;
                const found = text.match(/listening on (http:\/\/\S+)/);
                if (found) resolve(found[1]);
            });
            this.process.once("exit", (code, signal) => reject(new Error(`server ended (${code ?? signal}) before it was ready:\n${this.log}`)));
        });
    }

    async kill() { this.process.kill("SIGKILL"); await this.ended; }
    async stop() { this.process.kill("SIGTERM"); await this.ended; }

    runnerPids() {
        const pids = [];
        try {
            for (const pid of readFileSync(`/proc/${this.process.pid}/task/${this.process.pid}/children`, "utf8").split(" ")) if (pid.trim()) pids.push(Number(pid));
            // Children made by another thread stand under that thread.
        } catch { /* it just died */ }
        return pids;
    }

    async call(method, path, body) {
        const response = await fetch(this.url + path, { method, headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
            body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(20000) });
        const text = await response.text();
        return { status: response.status, body: text ? JSON.parse(text) : null };
    }
}

function allRunnerPids(server) {
    const pids = new Set(server.runnerPids());
    try {
        for (const task of readdirSafe(`/proc/${server.process.pid}/task`))
            for (const pid of readFileSync(`/proc/${server.process.pid}/task/${task}/children`, "utf8").split(" ")) if (pid.trim()) pids.add(Number(pid));
    } catch { /* it just died */ }
    return [...pids];
}

function readdirSafe(path) {
    try { return readdirSync(path); } catch { return []; }
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
    ];

    async function client() {
        while (running) {
            try {
                if (open.size > 300) { await sleep(20); continue; }
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
            const runners = allRunnerPids(server);
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
    } finally {
        running = false;
        if (result.lost || result.stuck || result.double) say(server.log);
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
        `${result.lost} lost, ${result.stuck} stuck, ${result.double} double terminal states`);
    process.exit(result.lost + result.stuck + result.double === 0 ? 0 : 1);
}
