// What the server costs, each figure beside its peer in the same run: durable creates beside a bare libmicrohttpd handler,
// one no-op prediction from request to answer, and the memory of an idle server.
//   node bench/server.mjs [SECONDS]
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const build = process.env.MIMEO_BUILD ?? "build";
const seconds = Number(process.argv[2] ?? 5);
const TOKEN = "r8_bench123";

async function start(command, args, ready) {
    const child = spawn(command, args, { env: { ...process.env, MIMEO_TOKEN: TOKEN }, stdio: ["pipe", "pipe", "inherit"] });
    const port = await new Promise((resolve, reject) => {
        let text = "";
        child.stdout.on("data", (chunk) => { text += chunk; const found = text.match(ready); if (found) resolve(Number(found[1])); });
        child.once("exit", (code) => reject(new Error(`${command} ended with ${code}`)));
    });
    return { child, port, stop: () => new Promise((resolve) => { child.once("exit", resolve); child.kill("SIGTERM"); }) };
}

const freePort = () => new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => { const { port } = probe.address(); probe.close(() => resolve(port)); });
});

const serve = (data, ...more) => start(`${build}/mimeo`, ["serve", "--listen", "127.0.0.1:0", "--data", data, "--runner", `${build}/mimeo-test-runner`,
    "--manifests", "tests/models", "--log-level", "warn", "--creates-per-minute", "100000000", "--calls-per-minute", "100000000", ...more], /listening on http:\/\/127\.0\.0\.1:(\d+)/);

function load(port, path, { connections, body, duration = seconds, headers = [] }) {
    const args = ["-c", connections, "-t", duration, "-m", "POST", "-H", "Content-Type: application/json", "-H", `Authorization: Bearer ${TOKEN}`,
        ...headers.flatMap((header) => ["-H", header]), "-b", JSON.stringify(body), port, path].map(String);
    const run = spawnSync(`${build}/bench-http-load`, args, { encoding: "utf8", timeout: (duration + 60) * 1000 });
    if (run.status !== 0) throw new Error(`bench-http-load failed: ${run.stdout}${run.stderr}`);
    if (!/non_2xx=0 broken=0/.test(run.stdout)) throw new Error(`not every answer was 2xx: ${run.stdout}`);
    return run.stdout.trim();
}
const rate = (text) => Number(text.match(/requests_per_s=([\d.]+)/)[1]);
const rss = (pid, key = "VmRSS") => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(new RegExp(`${key}:\\s+(\\d+)`))[1]) / 1024;

const folder = mkdtempSync(join(tmpdir(), "mimeo-bench-"));
try {
    const bare = await start(`${build}/bench-http-bare`, ["bare", String(await freePort())], /127\.0\.0\.1:(\d+)/);
    const server = await serve(join(folder, "a"), "--queue-limit", "1000000");
    await sleep(1500);
    console.log(`idle server: ${rss(server.child.pid).toFixed(1)} MiB resident`);

    const create = { connections: 64, body: { input: { seconds: 60 } } };
    const rates = { bare: [], create: [] };
    for (let round = 0; round < 3; round++) {
        const bareText = load(bare.port, "/", create);
        const createText = load(server.port, "/v1/models/test/sleep/predictions", create);
        rates.bare.push(rate(bareText));
        rates.create.push(rate(createText));
        console.log(`round ${round + 1}: bare handler ${bareText}\n         durable creates ${createText}`);
    }
    const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
    console.log(`durable creates, 64 connections: ${median(rates.create).toFixed(0)}/s; bare libmicrohttpd handler: ${median(rates.bare).toFixed(0)}/s; ` +
        `ratio ${(median(rates.create) / median(rates.bare)).toFixed(2)} (the version's one runner is busy throughout: this is the cost of accepting)`);
    console.log(`server after ${rates.create.length} rounds: ${rss(server.child.pid).toFixed(1)} MiB resident, peak ${rss(server.child.pid, "VmHWM").toFixed(1)} MiB`);
    await bare.stop();
    server.child.kill("SIGKILL");

    const quiet = await serve(join(folder, "b"));
    const wait = { connections: 1, body: { input: { text: "hello" } }, headers: ["Prefer: wait"] };
    load(quiet.port, "/v1/models/test/noop/predictions", { ...wait, duration: 1 });
    console.log(`one no-op prediction with Prefer: wait, 1 connection: ${load(quiet.port, "/v1/models/test/noop/predictions", wait)}`);
    console.log(`the same, 16 connections: ${load(quiet.port, "/v1/models/test/noop/predictions", { ...wait, connections: 16 })}`);
    await quiet.stop();
} finally {
    rmSync(folder, { recursive: true, force: true });
}
