// The `mimeo` program from outside: its commands, their exit statuses, what they print and leave behind.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build, root, Server, sleep, TOKEN, versionOf } from "./server.mjs";

let server, folder;

before(async () => {
    server = await Server.start();
    folder = mkdtempSync(join(tmpdir(), "mimeo-cli-"));
});
after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
});

// Run the program; environment as a user would have it, with nothing of MIMEO_ but what is given.
function start(args, env = {}) {
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MIMEO_") && !name.startsWith("HF_")));
    return spawn(join(build, "mimeo"), args, { cwd: folder, env: { ...clean, ...env }, stdio: ["ignore", "pipe", "pipe"] });
}

async function finish(child) {
    let out = "", err = "";
    child.stdout.on("data", (chunk) => { out += chunk; });
    child.stderr.on("data", (chunk) => { err += chunk; });
    const status = await new Promise((done) => child.once("close", (code, signal) => done(code ?? signal)));
    return { status, out, err };
}

const mimeo = (args, env) => finish(start(args, env));
const onServer = (...args) => mimeo(args, { MIMEO_URL: server.url, MIMEO_TOKEN: TOKEN });

test("help, version and mistakes", async () => {
    const help = await mimeo(["--help"]);
    assert.equal(help.status, 0);
    for (const name of ["serve", "pull", "run", "models", "predictions", "tokens", "version", "help"]) assert.match(help.out, new RegExp(`^  ${name} `, "m"));
    assert.match((await mimeo(["help", "serve"])).out, /--listen HOST:PORT/);
    assert.match((await mimeo(["run", "--help"])).out, /--output FILE/);
    assert.match((await mimeo(["version"])).out, /^mimeo \d+\.\d+\.\d+\n$/);
    for (const [args, words] of [
        [[], /usage/],
        [["serv"], /did you mean 'serve'\?/],
        [["zzz"], /unknown command/],
        [["serve", "--lisen", "x"], /did you mean '--listen'\?/],
        [["serve", "--queue-limit", "0"], /between 1 and/],
        [["serve", "extra"], /no argument/],
        [["serve", "--tls-cert", "x"], /go together/],
        [["tokens", "explode"], /create, list or revoke/],
        [["tokens", "create", "--scopes", "root"], /'root' is no scope: there are read, run, manage and operate/],
        [["tokens", "create", "--expires-in", "soon"], /a time like 45m, 12h or 30d/],
        [["link", "extra"], /no argument/],
        [["link", "--url", "ftp://x"], /must begin with http/],
        [["predictions", "get"], /ID/],
        [["run"], /OWNER\/NAME/],
        [["models", "get", "nothing"], /OWNER\/NAME/],
    ]) {
        const { status, err } = await mimeo(args, { MIMEO_URL: server.url });
        assert.equal(status, 2, args.join(" "));
        assert.match(err, words);
    }
});

test("docs/cli.md shows what the program says", async () => {
    const page = readFileSync(join(root, "docs/cli.md"), "utf8");
    for (const name of ["serve", "pull", "run", "models", "predictions", "tokens", "link", "version", "help"]) {
        const { out } = await mimeo(["help", name]);
        assert.ok(page.includes(`## ${name}\n\n\`\`\`\n${out}\`\`\`\n`), `docs/cli.md, ${name}: put \`mimeo help ${name}\` there again`);
    }
});

test("models and predictions, for people and for programs", async () => {
    const list = await onServer("models");
    assert.equal(list.status, 0);
    assert.match(list.out, /^test\/copy_file /m);
    const names = JSON.parse((await onServer("models", "--json")).out).map((model) => `${model.owner}/${model.name}`);
    assert.ok(names.includes("test/sleep"));
    assert.match((await onServer("models", "get", "test/copy_file")).out, /-i image\s+file or URL/);
    assert.equal(JSON.parse((await onServer("models", "get", "test/copy_file", "--json")).out).name, "copy_file");
    assert.equal((await onServer("models", "get", "test/none")).status, 1);
    const made = JSON.parse((await onServer("run", "test/noop", "--json")).out);
    assert.equal(made.status, "succeeded");
    assert.match((await onServer("predictions")).out, new RegExp(`^${made.id}  succeeded`, "m"));
    assert.match((await onServer("predictions", "get", made.id)).out, /succeeded/);
    assert.equal(JSON.parse((await onServer("predictions", "cancel", made.id, "--json")).out).status, "succeeded");
    assert.equal((await onServer("predictions", "get", "absent")).status, 1);
});

test("a server that is not there, and a wrong token", async () => {
    const away = await mimeo(["models"], { MIMEO_URL: "http://127.0.0.1:9" });
    assert.equal(away.status, 1);
    assert.match(away.err, /is the server running\?/);
    const wrong = await mimeo(["models"], { MIMEO_URL: server.url, MIMEO_TOKEN: "r8_wrong_token" });
    assert.equal(wrong.status, 1);
    assert.match(wrong.err, /MIMEO_TOKEN/);
    assert.ok(!wrong.err.includes("r8_wrong_token"));
});

test("run sends small files inline and large ones as uploads, and writes the output", async () => {
    for (const size of [1000, 700_000]) {
        const bytes = randomBytes(size);
        writeFileSync(join(folder, "in.bin"), bytes);
        const { status, out, err } = await onServer("run", "test/copy_file", "-i", "image=@in.bin", "-o", "out.bin");
        assert.equal(status, 0, err);
        assert.equal(out, "out.bin\n");
        assert.ok(readFileSync(join(folder, "out.bin")).equals(bytes));
    }
    const files = await server.call("GET", "/v1/files");
    assert.equal(files.json.results.length, 1); // only the large one
    const version = `test/copy_file:${versionOf("copy_file")}`;
    assert.equal((await onServer("run", version, "-i", "image=@in.bin", "-o", "again.bin")).status, 0);
});

test("run prints texts, and fails with the prediction's error", async () => {
    const text = await onServer("run", "test/text_list", "-i", "text=one two three");
    assert.equal(text.status, 0, text.err);
    assert.match(text.out, /one/);
    const failed = await onServer("run", "test/exit");
    assert.equal(failed.status, 1);
    assert.match(failed.err, /the prediction failed: .+/);
    const typo = await onServer("run", "test/copy_file", "-i", "imge=@in.bin");
    assert.equal(typo.status, 1);
    assert.match(typo.err, /no input 'imge'; it has image/);
    assert.equal((await onServer("run", "test/none")).status, 1);
});

test("Ctrl-C cancels the prediction on the server", async () => {
    const child = start(["run", "test/sleep", "-i", "seconds=60"], { MIMEO_URL: server.url, MIMEO_TOKEN: TOKEN });
    const done = finish(child);
    let running;
    for (let i = 0; i < 400 && !running; i++) {
        const list = await server.call("GET", "/v1/predictions");
        running = list.json.results.find((p) => p.model === "test/sleep" && ["starting", "processing"].includes(p.status));
        if (!running) await sleep(25);
    }
    assert.ok(running);
    await sleep(300);
    child.kill("SIGINT");
    const { status, err } = await done;
    assert.equal(status, 1);
    assert.match(err, new RegExp(`canceled prediction ${running.id}`));
    for (let i = 0; i < 200; i++) {
        const now = (await server.call("GET", `/v1/predictions/${running.id}`)).json.status;
        if (now === "canceled") return;
        await sleep(25);
    }
    assert.fail("it was not canceled");
});

test("tokens are made, listed and revoked while the server runs", async () => {
    const made = await mimeo(["tokens", "create", "--name", "for a test", "--data", server.data]);
    const token = made.out.trim();
    assert.match(token, /^r8_[0-9A-Za-z]{37}$/);
    assert.equal((await mimeo(["models"], { MIMEO_URL: server.url, MIMEO_TOKEN: token })).status, 0);
    const list = await mimeo(["tokens", "list", "--data", server.data]);
    assert.ok(!list.out.includes(token));
    const id = list.out.match(/^([0-9a-f]{16}).*for a test$/m)[1];
    assert.equal((await mimeo(["tokens", "revoke", id, "--data", server.data])).status, 0);
    assert.equal((await mimeo(["tokens", "revoke", id, "--data", server.data])).status, 1);
    for (let i = 0; i < 100; i++) {
        if ((await mimeo(["models"], { MIMEO_URL: server.url, MIMEO_TOKEN: token })).status === 1) return;
        await sleep(100);
    }
    assert.fail("the revoked token still works");
});

test("serve makes a first token, locks its folder, reads a file of options, and ends gracefully", async () => {
    const data = join(folder, "fresh", "data");
    writeFileSync(join(folder, "mimeo.yaml"), `data: ${data}\nlisten: 127.0.0.1:0\nrunner: /nonexistent/runner\n`);
    const child = start(["serve", "--config", "mimeo.yaml"]);
    let out = "", err = "";
    child.stdout.on("data", (chunk) => { out += chunk; });
    child.stderr.on("data", (chunk) => { err += chunk; });
    for (let i = 0; i < 400 && !out.includes("\n"); i++) await sleep(25);
    assert.match(out, /^listening on http:\/\/127\.0\.0\.1:\d+\n(sign in at http:\/\/127\.0\.0\.1:\d+\/sign-in#code=[0-9A-Za-z]{40}\n)?$/);
    assert.match(err, /runner_describe_failed/); // a warning, not the end
    const token = err.match(/r8_[0-9A-Za-z]{37}/)[0];
    assert.equal(statSync(data).mode & 0o777, 0o700);
    const url = out.split("\n")[0].slice("listening on ".length);
    assert.equal((await mimeo(["models"], { MIMEO_URL: url, MIMEO_TOKEN: token })).status, 0);
    const second = await mimeo(["serve", "--data", data, "--listen", "127.0.0.1:0"]);
    assert.equal(second.status, 1);
    assert.match(second.err, new RegExp(`another server \\(process ${child.pid}\\)`));
    const taken = await mimeo(["serve", "--data", join(folder, "other"), "--listen", url.slice("http://".length)]);
    assert.equal(taken.status, 1);
    const ended = new Promise((done) => child.once("close", (code, signal) => done(code ?? signal)));
    child.kill("SIGTERM");
    assert.equal(await ended, 0);
    assert.ok(out.split("\n").length <= 3); // nothing but the one line, and the link where there is a page
});

// ---- pull -----------------------------------------------------------------------------------------------------------

const weights = randomBytes(400_000);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

function manifest(name, files) { // files: { variants } or { parts }
    mkdirSync(join(folder, "manifests"), { recursive: true });
    const id = sha256(Buffer.from(name));
    writeFileSync(join(folder, "manifests", `${name}.yaml`), JSON.stringify({
        owner: "test", name, description: "For a test.", visibility: "public", runner: "native", model: name,
        versions: [{ id, created_at: "2024-01-01T00:00:00Z", cog_version: "0.9.7" }],
        weights: { licenses: [{ name: "A licence", url: "https://example.com/licence", text: "Be kind." }], ...files },
    }));
}

const pull = (name, args, env) => mimeo(["pull", `test/${name}`, "--manifests", join(folder, "manifests"), "--data", join(folder, "pulled"), ...args], env);

test("pull shows the licences, wants them accepted, tries the sources in order, and resumes", async () => {
    const asked = [];
    let cut = true;
    const hub = createServer((request, response) => {
        asked.push(request.headers.range ?? "all");
        const from = Number(request.headers.range?.match(/bytes=(\d+)-/)?.[1] ?? 0);
        response.writeHead(from ? 206 : 200, { "content-length": weights.length - from,
            ...(from ? { "content-range": `bytes ${from}-${weights.length - 1}/${weights.length}` } : {}) });
        if (!cut) return response.end(weights.subarray(from));
        response.write(weights.subarray(0, 150_000), () => setTimeout(() => response.destroy(), 200));
    });
    await new Promise((done) => hub.listen(0, "127.0.0.1", done));
    const bin = join(folder, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "npm"), "#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n");
    chmodSync(join(bin, "npm"), 0o755);
    const env = { HF_ENDPOINT: `http://127.0.0.1:${hub.address().port}`, PATH: `${bin}:${process.env.PATH}` };
    const shared = { file: "w.bin", size: weights.length, sha256: sha256(weights) };
    manifest("pulled", { variants: [{ source: "npm:@test/data@1.0.0", resource: "/x", ...shared }, { source: "hf:test/repo", path: "w.bin", ...shared }] });

    const refused = await pull("pulled", [], env);
    assert.equal(refused.status, 1);
    assert.match(refused.err, /A licence[^]*Be kind\.[^]*example\.com[^]*--accept-licenses/);
    assert.equal(asked.length, 0);

    const broken = await pull("pulled", ["--accept-licenses"], env);
    assert.equal(broken.status, 1);
    assert.match(broken.err, /npm:@test\/data@1\.0\.0: failed: .*E404/);
    assert.match(broken.err, /none of the 2 sources worked/);
    const final = join(folder, "pulled/weights/test/pulled/w.bin");
    assert.ok(!existsSync(final));

    cut = false;
    const pulled = await pull("pulled", ["--yes"], env);
    assert.equal(pulled.status, 0, pulled.err);
    assert.equal(pulled.out.trim(), final);
    assert.ok(readFileSync(final).equals(weights));
    assert.match(asked.at(-1), /^bytes=\d+-$/);
    const before = asked.length;
    const again = await pull("pulled", [], env); // nothing to fetch: nothing to accept
    assert.equal(again.status, 0);
    assert.equal(asked.length, before);
    await new Promise((done) => { hub.close(done); hub.closeAllConnections(); });
});

test("pull fetches the parts that are needed, and others as asked for", async () => {
    const asked = [];
    const release = createServer((request, response) => { asked.push(request.url); response.end(weights); });
    await new Promise((done) => release.listen(0, "127.0.0.1", done));
    const env = { GITHUB_ENDPOINT: `http://127.0.0.1:${release.address().port}` };
    const row = (file) => ({ source: "github:test/repo@v1.0", path: file, file, size: weights.length, sha256: sha256(weights), license: "MIT" });
    manifest("parted", { parts: [
        { name: "main", variants: [row("main.pth")] },
        { name: "faces", optional: true, description: "restores faces", variants: [row("faces.pth")] },
        { name: "tiny", optional: true, variants: [row("tiny.pth")] },
    ] });
    const at = (file) => join(folder, "pulled/weights/test/parted", file);
    const first = await pull("parted", ["--yes"], env);
    assert.equal(first.status, 0, first.err);
    assert.equal(first.out, `${at("main.pth")}\n`);
    assert.match(first.err, /main: from github:test\/repo@v1\.0: MIT[^]*not pulled: --part faces: restores faces\nnot pulled: --part tiny\n/);
    assert.deepEqual(asked, ["/test/repo/releases/download/v1.0/main.pth"]);
    const two = await pull("parted", ["--yes", "--part", "faces", "--part", "tiny"], env);
    assert.equal(two.status, 0, two.err);
    assert.equal(two.out, `${at("main.pth")}\n${at("faces.pth")}\n${at("tiny.pth")}\n`);
    assert.doesNotMatch(two.err, /not pulled/);
    assert.equal(asked.length, 3);
    assert.equal((await pull("parted", ["--all"], env)).out, two.out); // all is there: nothing to accept
    const unknown = await pull("parted", ["--yes", "--part", "legs"], env);
    assert.equal(unknown.status, 1);
    assert.match(unknown.err, /test\/parted: its weights have no part 'legs'/);
    assert.equal(asked.length, 3);
    await new Promise((done) => { release.close(done); release.closeAllConnections(); });
});

test("pull refuses a wrong checksum and unknown models", async () => {
    const hub = createServer((request, response) => response.end(weights));
    await new Promise((done) => hub.listen(0, "127.0.0.1", done));
    const env = { HF_ENDPOINT: `http://127.0.0.1:${hub.address().port}` };
    manifest("wrong", { variants: [{ source: "hf:test/repo", path: "w.bin", file: "w.bin", size: weights.length, sha256: "0".repeat(64) }] });
    const wrong = await pull("wrong", ["--yes"], env);
    assert.equal(wrong.status, 1);
    assert.match(wrong.err, /checksum is wrong/);
    assert.ok(!existsSync(join(folder, "pulled/weights/test/wrong/w.bin")));
    const unknown = await pull("unknown", ["--yes"], env);
    assert.equal(unknown.status, 1);
    assert.match(unknown.err, /there is no model 'test\/unknown'[^]*test\/wrong/);
    await new Promise((done) => { hub.close(done); hub.closeAllConnections(); });
});
