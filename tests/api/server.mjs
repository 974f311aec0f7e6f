// A server for a test: mimeo with the test runner's models, a data folder of its own, on loopback.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import Replicate from "replicate";

export const root = resolve(fileURLToPath(new URL("../..", import.meta.url)));
export const build = resolve(root, process.env.MIMEO_BUILD ?? "build");
export const TOKEN = "r8_0123456789abcdefghijABCDEFGHIJ0123456";

export class Server {
    // options: args (more of `mimeo serve`), runner, manifests, allowPrivate, data (a folder that an earlier server kept),
    // pictureMetadata (else outputs are the very bytes that the model gave)
    static async start(options = {}) {
        const server = new Server();
        server.data = options.data ?? mkdtempSync(join(tmpdir(), "mimeo-api-"));
        const args = ["serve", "--listen", "127.0.0.1:0", "--data", server.data,
            "--runner", options.runner ?? join(build, "mimeo-test-runner"), "--log-level", "warn",
            "--cancel-grace", "500", "--drain-timeout", "1"];
        if (options.manifests !== null) args.push("--manifests", options.manifests ?? join(root, "tests/models"));
        if (options.allowPrivate) args.push("--allow-private-urls");
        if (!options.pictureMetadata) args.push("--picture-metadata", "no");
        args.push(...(options.args ?? []));
        server.log = "";
        server.process = spawn(join(build, "mimeo"), args,
            { cwd: root, env: { ...process.env, MIMEO_TOKEN: TOKEN }, stdio: ["ignore", "pipe", "pipe"] });
        server.process.stderr.on("data", (chunk) => { server.log = (server.log + chunk).slice(-20000); });
        server.ended = new Promise((done) => server.process.once("exit", done));
        server.url = await new Promise((ready, fail) => {
            let text = "";
            server.process.stdout.on("data", (chunk) => {
                text += chunk;
                const found = text.match(/listening on (https?:\/\/\S+)/);
                if (found) ready(found[1]);
            });
            server.process.once("error", fail);
            server.process.once("exit", (code) => fail(new Error(`the server ended (${code}) before it was ready:\n${server.log}`)));
        });
        return server;
    }

    get v1() { return `${this.url}/v1`; }

    client(options = {}) {
        return new Replicate({ auth: TOKEN, baseUrl: this.v1, ...options });
    }

    // One raw request. body: an object (sent as JSON), or anything fetch takes.
    async call(method, path, { body, headers, token = TOKEN } = {}) {
        const plain = body !== null && typeof body === "object" && Object.getPrototypeOf(body) === Object.prototype;
        const response = await fetch(this.url + path, {
            method,
            headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(plain ? { "content-type": "application/json" } : {}), ...headers },
            body: plain ? JSON.stringify(body) : body,
        });
        const text = await response.text();
        let json;
        try { json = JSON.parse(text); } catch { /* not JSON */ }
        return { status: response.status, headers: response.headers, text, json };
    }

    // `mimeo ...` on the server's data folder: its standard output.
    command(...args) {
        return execFileSync(join(build, "mimeo"), [...args, "--data", this.data], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    }

    // keep: the data folder, for a server that comes after.
    async stop({ keep = false } = {}) {
        this.process.kill("SIGTERM");
        const late = setTimeout(() => this.process.kill("SIGKILL"), 15000);
        const code = await this.ended;
        clearTimeout(late);
        if (!keep) rmSync(this.data, { recursive: true, force: true });
        return code;
    }
}

export function versionOf(name) {
    return readFileSync(join(root, `tests/models/${name}.yaml`), "utf8").match(/id: ([0-9a-f]{64})/)[1];
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Poll until `test` holds for the prediction; at most `ms`.
export async function until(client, id, test, ms = 20000) {
    for (const end = Date.now() + ms; ; await sleep(20)) {
        const prediction = await client.predictions.get(id);
        if (test(prediction)) return prediction;
        if (Date.now() > end) throw new Error(`still ${prediction.status} after ${ms} ms`);
    }
}

export const ended = (prediction) => ["succeeded", "failed", "canceled", "aborted"].includes(prediction.status);

// A host of files for inputs: GET / gives `bytes`; `asked` counts.
export async function fileHost(bytes, type = "image/png") {
    const host = { asked: 0 };
    host.server = createServer((request, response) => {
        host.asked++;
        response.writeHead(200, { "content-type": type, "content-length": bytes.length });
        response.end(bytes);
    });
    await new Promise((done) => host.server.listen(0, "127.0.0.1", done));
    host.url = `http://127.0.0.1:${host.server.address().port}/picture.png`;
    host.stop = () => new Promise((done) => { host.server.close(done); host.server.closeAllConnections(); });
    return host;
}

// The smallest PNG: one transparent pixel.
export const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==", "base64");
