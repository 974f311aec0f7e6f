// How the server holds under load: idle connections beside active clients, many stream readers, and ten times what it can do.
//   node bench/load.mjs [SECONDS]
// Each part prints the figure without the load and with it, from the same run.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const build = process.env.MIMEO_BUILD ?? "build";
const seconds = Number(process.argv[2] ?? 5);
const TOKEN = "r8_bench123";
const IDLE = 10000, ACTIVE = 200, READERS = 1000;

async function serve(data, ...more) {
    const child = spawn(`${build}/mimeo`, ["serve", "--listen", "127.0.0.1:0", "--data", data, "--runner", `${build}/mimeo-test-runner`,
        "--manifests", "tests/models", "--log-level", "warn", "--connections", "12000", "--drain-timeout", "0", ...more],
    { env: { ...process.env, MIMEO_TOKEN: TOKEN }, stdio: ["ignore", "pipe", "inherit"] });
    const port = await new Promise((resolve, reject) => {
        let text = "";
        child.stdout.on("data", (chunk) => { text += chunk; const found = text.match(/listening on http:\/\/127\.0\.0\.1:(\d+)/); if (found) resolve(Number(found[1])); });
        child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    });
    const memory = (key) => Number(readFileSync(`/proc/${child.pid}/status`, "utf8").match(new RegExp(`${key}:\\s+(\\d+)`))[1]) / 1024;
    const call = async (method, path, body, headers) => {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body), headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers } });
        return { status: answer.status, headers: answer.headers, json: await answer.json() };
    };
    return { child, port, memory, call, stop: () => new Promise((resolve) => { child.once("exit", resolve); child.kill("SIGTERM"); }) };
}

// count: that many requests, each to its answer, instead of `seconds`.
function load(port, path, body, connections, { headers = [], count } = {}) {
    const args = ["-c", connections, "-t", count ? 120 : seconds, ...(count ? ["-n", count] : []), "-m", body ? "POST" : "GET", "-H", "Content-Type: application/json", "-H", `Authorization: Bearer ${TOKEN}`,
        ...headers.flatMap((one) => ["-H", one]), ...(body ? ["-b", JSON.stringify(body)] : []), port, path].map(String);
    const run = spawnSync(`${build}/bench-http-load`, args, { encoding: "utf8" });
    if (run.status !== 0) throw new Error(`bench-http-load failed: ${run.stdout}${run.stderr}`);
    return run.stdout.trim();
}
const figure = (text, name) => Number(text.match(new RegExp(`${name}=([\\d.]+)`))[1]);
const unlimited = ["--creates-per-minute", "100000000", "--calls-per-minute", "100000000"];

async function idleBesideActive(folder) {
    const server = await serve(folder, ...unlimited);
    const { json } = await server.call("POST", "/v1/models/test/noop/predictions", { input: {} }, { prefer: "wait" });
    const path = `/v1/predictions/${json.id}`;
    load(server.port, path, null, ACTIVE);
    const alone = load(server.port, path, null, ACTIVE), before = server.memory("VmRSS");
    const crowd = spawn(`${build}/bench-crowd`, ["idle", String(IDLE), String(server.port)], { stdio: ["pipe", "pipe", "inherit"] });
    await new Promise((resolve, reject) => {
        crowd.stdout.once("data", resolve);
        crowd.once("exit", (code) => reject(new Error(`crowd ended with ${code}`)));
    });
    const after = server.memory("VmRSS");
    const beside = load(server.port, path, null, ACTIVE);
    console.log(`${ACTIVE} clients reading a prediction, alone:               ${alone}`);
    console.log(`the same beside ${IDLE} idle keep-alive connections: ${beside}`);
    console.log(`p99 ratio ${(figure(beside, "p99_ms") / figure(alone, "p99_ms")).toFixed(2)}; memory ${before.toFixed(1)} MiB before, ${after.toFixed(1)} MiB with the idle ones ` +
        `(${((after - before) * 1024 / IDLE).toFixed(1)} KiB each), ${server.memory("VmHWM").toFixed(1)} MiB at most`);
    crowd.stdin.end();
    await server.stop();
}

async function streamReaders(folder) {
    const server = await serve(folder, ...unlimited);
    const paths = [], ids = [], text = Array.from({ length: 200 }, (_, i) => `word${i}`).join(" ");
    for (let i = 0; i < 4; i++) {
        const { json } = await server.call("POST", "/v1/models/test/text_list/predictions", { input: { text, pause_ms: i === 0 ? 20 : 1 } });
        paths.push(new URL(json.urls.stream).pathname);
        ids.push(json.id);
    }
    const before = server.memory("VmRSS");
    const run = spawnSync(`${build}/bench-crowd`, ["streams", String(READERS), String(server.port), ...paths], { encoding: "utf8" });
    console.log(`${READERS} readers of ${paths.length} streams of 200 words: ${run.stdout.trim()}${run.status ? " INCOMPLETE" : ""}`);
    console.log(`memory ${before.toFixed(1)} MiB before, ${server.memory("VmHWM").toFixed(1)} MiB at most (${((server.memory("VmHWM") - before) * 1024 / READERS).toFixed(1)} KiB a reader)`);
    await server.stop();
}

// One runner, 20 ms a prediction: capacity 50 a second. Ten times that is offered, then far more than the queue holds.
async function overload(folder) {
    const server = await serve(folder, ...unlimited, "--queue-limit", "100");
    await server.call("POST", "/v1/models/test/sleep/predictions", { input: { seconds: 0.02 } }, { prefer: "wait" });
    const before = server.memory("VmRSS");
    const started = performance.now();
    const text = load(server.port, "/v1/models/test/sleep/predictions", { input: { seconds: 0.02 } }, ACTIVE, { count: 20000 * seconds });
    const took = (performance.now() - started) / 1000;
    const taken = figure(text, "requests") - figure(text, "non_2xx");
    const refused = await server.call("POST", "/v1/models/test/sleep/predictions", { input: { seconds: 0.02 } });
    console.log(`a model that takes 20 ms, a queue of 100, ${ACTIVE} clients at full speed: ${text}`);
    console.log(`taken ${taken} in ${took.toFixed(1)} s (${(taken / took).toFixed(0)}/s), the rest ${refused.status === 429 ? `429, Retry-After ${refused.headers.get("retry-after")}` : refused.status}; ` +
        `memory ${before.toFixed(1)} MiB before, ${server.memory("VmHWM").toFixed(1)} MiB at most`);
    await sleep(4000);
    let ended = 0, unfinished = 0;
    for (let path = "/v1/predictions"; path;) {
        const { json } = await server.call("GET", path);
        for (const one of json.results) one.status === "succeeded" ? ended++ : unfinished++;
        path = json.next && new URL(json.next).pathname + new URL(json.next).search;
    }
    const own = refused.status === 201 ? 2 : 1;
    console.log(`predictions there are: ${ended + unfinished} (taken: ${taken + own}), succeeded ${ended}, unfinished ${unfinished}: ${ended + unfinished === taken + own ? "every 429 was true" : "THEY DIFFER"}`);
    await server.stop();
}

async function throttled(folder) {
    const server = await serve(folder);
    const path = "/v1/models/test/noop/predictions";
    const text = load(server.port, path, { input: {} }, ACTIVE);
    const taken = figure(text, "requests") - figure(text, "non_2xx");
    const allowed = 600 + Math.ceil(10 * (seconds + 1));
    console.log(`one token over its 600 creates a minute, ${ACTIVE} clients at full speed: ${text}`);
    console.log(`taken ${taken} (allowed: 600 at once and 10 a second, ${allowed} in this time): ${taken <= allowed ? "held" : "EXCEEDED"}; memory ${server.memory("VmHWM").toFixed(1)} MiB at most`);
    await server.stop();
}

const folder = mkdtempSync(join(tmpdir(), "mimeo-load-"));
try {
    await idleBesideActive(join(folder, "a"));
    await streamReaders(join(folder, "b"));
    await overload(join(folder, "c"));
    await throttled(join(folder, "d"));
} finally {
    rmSync(folder, { recursive: true, force: true });
}
