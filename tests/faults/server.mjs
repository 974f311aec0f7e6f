// A server for a fault test: mimeo with the test runner's models, which may be killed, stopped and started again on the same
// data folder.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

export const TOKEN = "r8_faults1";
export const TERMINAL = new Set(["succeeded", "failed", "canceled", "aborted"]);
const root = resolve(fileURLToPath(new URL("../..", import.meta.url)));
export const build = resolve(root, process.env.MIMEO_BUILD ?? "build");

export class Server {
    // options: args (more of `mimeo serve`), env, wrap (a command that starts what follows it)
    constructor(data = mkdtempSync(join(tmpdir(), "mimeo-faults-")), options = {}) {
        this.data = data;
        this.options = options;
        this.log = "";
    }

    // more: options of this start only
    async start(more = {}) {
        const { args = [], env = {}, wrap = [] } = { ...this.options, ...more };
        const [program, ...rest] = [...wrap, `${build}/mimeo`, "serve", "--listen", "127.0.0.1:0", "--data", this.data,
            "--runner", `${build}/mimeo-test-runner`, "--manifests", "tests/models", "--cancel-grace", "300", "--log-level", "warn",
            "--creates-per-minute", "100000000", "--calls-per-minute", "100000000", ...args];
        this.process = spawn(program, rest, { cwd: root, env: { ...process.env, MIMEO_TOKEN: TOKEN, ...env }, stdio: ["ignore", "pipe", "pipe"] });
        this.process.stderr.on("data", (chunk) => { this.log = (this.log + chunk).slice(-20000); });
        this.ended = new Promise((resolve) => this.process.once("exit", (code, signal) => resolve(code ?? signal)));
        this.url = await new Promise((resolve, reject) => {
            let text = "";
            this.process.stdout.on("data", (chunk) => {
                text += chunk;
                const found = text.match(/listening on (http:\/\/\S+)/);
                if (found) resolve(found[1]);
            });
            this.process.once("exit", (code, signal) => reject(new Error(`server ended (${code ?? signal}) before it was ready:\n${this.log}`)));
        });
        return this;
    }

    async kill() { this.process.kill("SIGKILL"); return this.ended; }
    async stop() { this.process.kill("SIGTERM"); return this.ended; }

    // The end of the test: the server and its data go, however the test went.
    async remove() {
        await this.kill();
        rmSync(this.data, { recursive: true, force: true });
    }

    // Children stand under the thread that made them.
    runnerPids() {
        const pids = new Set();
        try {
            for (const task of readdirSync(`/proc/${this.process.pid}/task`))
                for (const pid of readFileSync(`/proc/${this.process.pid}/task/${task}/children`, "utf8").split(" ")) if (pid.trim()) pids.add(Number(pid));
        } catch { /* it just died */ }
        return [...pids];
    }

    async call(method, path, body, headers = {}) {
        const plain = body !== undefined && !(body instanceof FormData);
        const response = await fetch(this.url + path, { method,
            headers: { authorization: `Bearer ${TOKEN}`, ...(plain ? { "content-type": "application/json" } : {}), ...headers },
            body: plain ? JSON.stringify(body) : body, signal: AbortSignal.timeout(30000) });
        const text = await response.text();
        let json = null;
        try { json = JSON.parse(text); } catch { /* not JSON */ }
        return { status: response.status, headers: response.headers, body: json, text };
    }

    // Create one; `wait`: seconds to wait for its end.
    async predict(model, input = {}, wait = 0) {
        return this.call("POST", `/v1/models/test/${model}/predictions`, { input }, wait ? { prefer: `wait=${wait}` } : {});
    }

    async upload(bytes, name = "a.bin") {
        const form = new FormData();
        form.append("content", new Blob([bytes]), name);
        return this.call("POST", "/v1/files", form);
    }

    // Poll until `test` holds for the prediction (by default: it has ended).
    async until(id, test = (prediction) => TERMINAL.has(prediction.status), ms = 20000) {
        for (const end = Date.now() + ms; ; await sleep(20)) {
            const got = await this.call("GET", `/v1/predictions/${id}`);
            if (got.status !== 200) throw new Error(`${id}: ${got.status} ${got.text}`);
            if (test(got.body)) return got.body;
            if (Date.now() > end) throw new Error(`${id}: still ${got.body.status} after ${ms} ms`);
        }
    }
}
