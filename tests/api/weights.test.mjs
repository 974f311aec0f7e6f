// Weights over HTTP: what is here, fetching it with progress, canceling, resuming, removing. A small server stands in for the hub.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, TOKEN, build, ended, sleep, until as untilPrediction } from "./server.mjs";

const folder = mkdtempSync(join(tmpdir(), "mimeo-weights-"));
const manifests = join(folder, "manifests");
const bytes = randomBytes(3_000_000);
const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const hub = { asked: [], slow: false, broken: false, bytesAtOnce: 100_000 };
let server, replicate;

// Slow: 100 kB each 50 ms.
function answer(request, response) {
    hub.asked.push({ url: request.url, range: request.headers.range });
    if (hub.broken) return response.writeHead(500).end();
    const name = request.url.split("/").pop();
    const whole = name === "small.bin" ? bytes.subarray(0, 1000) : bytes;
    let from = Number(request.headers.range?.match(/bytes=(\d+)-/)?.[1] ?? 0);
    response.writeHead(from ? 206 : 200, { "content-length": whole.length - from, ...(from ? { "content-range": `bytes ${from}-${whole.length - 1}/${whole.length}` } : {}) });
    if (!hub.slow) return response.end(whole.subarray(from));
    const timer = setInterval(() => {
        if (!hub.slow) { clearInterval(timer); return response.end(whole.subarray(from)); }
        response.write(whole.subarray(from, from + hub.bytesAtOnce));
        from += hub.bytesAtOnce;
        if (from >= whole.length) { clearInterval(timer); response.end(); }
    }, 50);
    response.once("close", () => clearInterval(timer));
}

const file = (name, data = bytes) => ({ source: "hf:test/repo", path: name, file: name, size: data.length, sha256: sha256(data) });

function manifest(name, weights, more = {}) {
    writeFileSync(join(manifests, `${name}.yaml`), JSON.stringify({
        owner: "test", name, description: "For a test.", visibility: "public", runner: "native", model: "sleep",
        versions: [{ id: sha256(Buffer.from(name)), created_at: "2024-01-01T00:00:00Z", cog_version: "0.9.7" }],
        ...(weights ? { weights } : {}), ...more }));
}

const licensed = { licenses: [{ name: "A licence", url: "https://example.com/licence", text: "Be kind." }, { name: "Another", url: "https://example.com/other", text: "Be kinder." }] };

before(async () => {
    mkdirSync(manifests, { recursive: true });
    manifest("plain", null);
    manifest("one", { ...licensed, variants: [file("one.bin")] });
    manifest("two", { variants: [file("two.bin")] }, { price: { per_second: 0.000225, per_run: 0.5 } });
    manifest("three", { variants: [file("three.bin")] });
    manifest("parts", { ...licensed, parts: [
        { name: "main", description: "does it", variants: [file("small.bin", bytes.subarray(0, 1000))] },
        { name: "more", optional: true, variants: [file("more.bin")] }] });
    manifest("wrong", { variants: [{ ...file("wrong.bin"), sha256: "0".repeat(64) }] });
    manifest("linked", { variants: [file("linked.bin")] });
    manifest("nobody", { variants: [file("nobody.bin")] }, { model: "there_is_no_such_network" });
    hub.server = createServer(answer);
    await new Promise((done) => hub.server.listen(0, "127.0.0.1", done));
    process.env.HF_ENDPOINT = `http://127.0.0.1:${hub.server.address().port}`;
    server = await Server.start({ manifests });
    replicate = server.client();
});
after(async () => {
    await server.stop();
    hub.server.close();
    hub.server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
});

const weights = async (name) => {
    const answer = await server.call("GET", `/v1/weights/test/${name}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
};
const install = (name, body = { accept_license: true }) => server.call("POST", `/v1/weights/test/${name}`, { body });
const until = async (name, holds, ms = 15000) => {
    for (const end = Date.now() + ms; ; await sleep(20)) {
        const found = await weights(name);
        if (holds(found)) return found;
        assert.ok(Date.now() < end, JSON.stringify(found));
    }
};
const settled = (prediction) => untilPrediction(replicate, prediction.id, ended);
const installed = (name) => join(server.data, "weights/test", name);

test("what each model's weights are is told", async () => {
    const { json, status } = await server.call("GET", "/v1/weights");
    assert.equal(status, 200);
    assert.ok(json.memory_bytes > 1e6);
    const all = Object.fromEntries(json.results.map((one) => [one.model, one]));
    assert.deepEqual(all["test/one"], await weights("one"));
    assert.deepEqual(all["test/plain"], { model: "test/plain", state: "ready", fits: true, memory_bytes: null, download_bytes: 0, installed_bytes: 0,
        license: null, parts: [], install: null, speed: null, price: null, runners: 0 });
    const { memory_bytes, ...one } = all["test/one"];
    assert.ok(memory_bytes > bytes.length);
    assert.deepEqual(one, { model: "test/one", state: "needs_weights", fits: true, download_bytes: bytes.length, installed_bytes: 0,
        license: { name: "A licence, Another", url: "https://example.com/licence", must_accept: true, text: "Be kind. Be kinder.", all: licensed.licenses },
        parts: [{ name: "weights", description: null, optional: false, installed: false, bytes: bytes.length }], install: null, speed: null, price: null, runners: 0 });
    assert.equal(all["test/two"].license, null);
    assert.deepEqual(all["test/two"].price, { per_second: 0.000225, per_image: null, per_run: 0.5 });
    assert.deepEqual(all["test/parts"].parts.map((part) => [part.name, part.description, part.optional, part.bytes]), [["main", "does it", false, 1000], ["more", null, true, bytes.length]]);
    assert.equal(all["test/parts"].download_bytes, 1000, "the part that is needed");
    assert.equal(all["test/nobody"].state, "unsupported");
    assert.equal(all["tencentarc/gfpgan"].state, "unsupported"); // the tests' runner has no network for it
    assert.equal((await server.call("GET", "/v1/weights/test/none")).status, 404);
});

test("a licence must be accepted, and what is asked for must be there to fetch", async () => {
    for (const body of [{}, { accept_license: false }]) {
        const refused = await install("one", body);
        assert.equal(refused.status, 422);
        assert.equal(refused.json.invalid_fields[0].field, "accept_license");
    }
    assert.equal((await server.call("POST", "/v1/weights/test/one")).status, 422, "no body at all");
    assert.equal((await install("one", { accept_license: "yes" })).status, 422);
    const part = await install("parts", { accept_license: true, parts: ["none"] });
    assert.equal(part.status, 422);
    assert.equal(part.json.invalid_fields[0].field, "parts");
    assert.equal((await install("plain")).status, 409);
    assert.equal((await install("nobody")).status, 409);
    assert.equal((await install("none")).status, 404);
    assert.equal((await server.call("POST", "/v1/weights/test/one", { token: null })).status, 401);
    assert.deepEqual(hub.asked, []);
});

test("weights are fetched with progress, canceled, resumed, and then the model runs", async () => {
    const version = sha256(Buffer.from("one"));
    const early = await replicate.predictions.create({ version, input: { seconds: 0 } });
    assert.match((await settled(early)).error, /weights of test\/one/);

    hub.slow = true;
    const begun = await install("one");
    assert.equal(begun.status, 202, begun.text);
    assert.equal(begun.json.state, "installing");
    assert.equal(begun.json.install.state, "running");
    const coming = await until("one", (one) => one.install.bytes_per_second > 0);
    assert.equal(coming.install.step, "downloading one.bin");
    assert.equal(coming.install.total_bytes, bytes.length);
    assert.ok(coming.install.done_bytes > 0 && coming.install.done_bytes < bytes.length);
    assert.ok(coming.install.bytes_per_second > 200_000 && coming.install.bytes_per_second < 4_000_000, `${coming.install.bytes_per_second} B/s of 2 MB/s`);
    assert.equal((await install("one")).status, 200, "asked twice: the same goes on");
    assert.equal((await install("one", {})).status, 200);
    assert.equal((await server.call("DELETE", "/v1/weights/test/one")).status, 409);
    assert.equal(hub.asked.filter((ask) => ask.url.endsWith("one.bin")).length, 1);

    assert.equal((await server.call("POST", "/v1/weights/test/one/cancel")).status, 200);
    const canceled = await until("one", (one) => one.install.state === "canceled");
    assert.equal(canceled.state, "needs_weights");
    assert.ok(canceled.install.completed_at > canceled.install.started_at);
    assert.ok(canceled.download_bytes > 0 && canceled.download_bytes < bytes.length, "what came stays");
    assert.ok(!existsSync(join(installed("one"), "one.bin")));

    hub.slow = false;
    assert.equal((await install("one")).status, 202);
    const done = await until("one", (one) => one.install.state !== "running");
    assert.equal(done.install.state, "succeeded", done.install.error);
    assert.deepEqual([done.state, done.download_bytes, done.installed_bytes, done.parts[0].installed], ["ready", 0, bytes.length, true]);
    assert.equal(done.license.must_accept, false);
    assert.match(hub.asked.at(-1).range, /^bytes=\d{5,}-$/);
    assert.ok(readFileSync(join(installed("one"), "one.bin")).equals(bytes));
    assert.equal((await install("one")).status, 409);

    await settled(await replicate.predictions.create({ version, input: { seconds: 0.2 } }));
    const { speed, runners, memory_bytes } = await weights("one");
    assert.equal(speed.runs, 1);
    assert.ok(speed.p50_s >= 0.19 && speed.p50_s < 5 && speed.p95_s === speed.p50_s, JSON.stringify(speed));
    assert.equal(runners, 1);
    assert.ok(memory_bytes < 200e6, "measured, not guessed");
});

test("weights are removed when nothing needs them, and nothing else is", async () => {
    const version = sha256(Buffer.from("one"));
    const running = await replicate.predictions.create({ version, input: { seconds: 30 } });
    const busy = await server.call("DELETE", "/v1/weights/test/one");
    assert.equal(busy.status, 409);
    assert.match(busy.json.detail, /running/);
    assert.ok(existsSync(join(installed("one"), "one.bin")));
    await replicate.predictions.cancel(running.id);
    await settled(running);
    writeFileSync(join(installed("one"), "notes.txt"), "mine");
    assert.equal((await server.call("DELETE", "/v1/weights/test/one")).status, 204);
    const gone = await until("one", (one) => one.runners === 0);
    assert.deepEqual([gone.state, gone.installed_bytes, gone.download_bytes, gone.install], ["needs_weights", 0, bytes.length, null]);
    assert.deepEqual(readdirSync(installed("one")), ["notes.txt"]);
    assert.equal((await server.call("DELETE", "/v1/weights/test/one")).status, 204, "again");
    assert.equal((await server.call("DELETE", "/v1/weights/test/none")).status, 404);
    assert.match((await settled(await replicate.predictions.create({ version, input: {} }))).error, /weights of test\/one/);
});

test("a link out of the weights' folder is not followed", async () => {
    const outside = join(folder, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "linked.bin"), "keep");
    symlinkSync(outside, installed("linked"));
    const refused = await server.call("DELETE", "/v1/weights/test/linked");
    assert.equal(refused.status, 409);
    assert.match(refused.json.detail, /link/);
    assert.equal(readFileSync(join(outside, "linked.bin"), "utf8"), "keep");
});

test("an optional part is fetched when it is asked for", async () => {
    assert.equal((await install("parts")).status, 202);
    const needed = await until("parts", (one) => one.install.state === "succeeded");
    assert.deepEqual([needed.state, needed.parts.map((part) => part.installed), needed.license.must_accept], ["ready", [true, false], true]);
    assert.equal((await install("parts")).status, 409);
    assert.equal((await install("parts", { accept_license: true, parts: ["more"] })).status, 202);
    const all = await until("parts", (one) => one.install.state === "succeeded" && one.parts[1].installed);
    assert.equal(all.installed_bytes, bytes.length + 1000);
});

test("two are fetched at a time, the next one waits, and may be canceled while it does", async () => {
    hub.slow = true;
    hub.bytesAtOnce = 1000;
    for (const name of ["one", "two", "three"]) assert.equal((await install(name)).status, 202);
    await until("two", (two) => two.install.step.startsWith("downloading"));
    await until("one", (one) => one.install.step.startsWith("downloading"));
    const third = await weights("three");
    assert.deepEqual([third.install.state, third.install.step, third.install.total_bytes], ["running", "waiting", null]);
    assert.equal((await server.call("POST", "/v1/weights/test/three/cancel")).json.install.state, "canceled");
    assert.equal((await install("three")).json.install.state, "running");
    assert.equal((await server.call("POST", "/v1/weights/test/one/cancel")).status, 200);
    assert.equal((await install("one")).status, 202, "asked for again before the cancel took effect, or just after");
    hub.slow = false;
    for (const name of ["one", "two", "three"]) assert.equal((await until(name, (found) => found.install.state !== "running")).install.state, "succeeded", name);
    hub.bytesAtOnce = 100_000;
});

test("what fails says why, without paths", async () => {
    hub.slow = false;
    assert.equal((await install("wrong", {})).status, 202, "no licence is known, so none is accepted");
    const wrong = await until("wrong", (one) => one.install.state === "failed");
    assert.match(wrong.install.error, /checksum is wrong/);
    assert.equal(wrong.state, "needs_weights");
    assert.ok(!wrong.install.error.includes(server.data));
    hub.broken = true;
    await server.call("DELETE", "/v1/weights/test/two");
    await server.call("DELETE", "/v1/weights/test/one"); // two.bin has the same bytes: it would be taken from there
    await server.call("DELETE", "/v1/weights/test/three");
    await server.call("DELETE", "/v1/weights/test/parts");
    assert.equal((await install("two")).status, 202);
    assert.match((await until("two", (two) => two.install.state === "failed")).install.error, /500|later|answered/);
    hub.broken = false;
});

test("a server that ends in the middle goes on after its restart", async () => {
    hub.slow = true;
    assert.equal((await install("two")).status, 202);
    await until("two", (two) => two.install.done_bytes > 300_000);
    const began = Date.now();
    await server.stop({ keep: true });
    assert.ok(Date.now() - began < 5000, "an install does not hold up the end");
    server = await Server.start({ manifests, data: server.data });
    replicate = server.client();
    const again = await weights("two");
    assert.deepEqual([again.state, again.install], ["needs_weights", null]);
    assert.ok(again.download_bytes < bytes.length - 200_000);
    hub.slow = false;
    assert.equal((await install("two")).status, 202);
    await until("two", (two) => two.state === "ready");
    assert.match(hub.asked.at(-1).range, /^bytes=\d{6,}-$/);
    const { speed } = await until("one", (one) => one.speed !== null); // read from the store
    assert.equal(speed.runs, 1);
});

test("other accounts' private models are not told of", async () => {
    await replicate.models.create("local", "secret", { visibility: "private", hardware: "cpu" });
    assert.equal((await server.call("GET", "/v1/weights/local/secret")).status, 200);
    const token = server.command("tokens", "create", "--account", "other").match(/r8_\w+/)[0];
    const seen = (await server.call("GET", "/v1/weights", { token })).json.results.map((one) => one.model);
    assert.ok(seen.includes("test/one") && !seen.includes("local/secret"));
    for (const [method, path] of [["GET", ""], ["POST", ""], ["POST", "/cancel"], ["DELETE", ""]])
        assert.equal((await server.call(method, `/v1/weights/local/secret${path}`, { token, body: method === "POST" ? {} : undefined })).status, 404, method + path);
});

test("`mimeo models` shows what is still to be fetched", async () => {
    const list = execFileSync(join(build, "mimeo"), ["models"], { encoding: "utf8", env: { ...process.env, MIMEO_URL: server.url, MIMEO_TOKEN: TOKEN } });
    assert.match(list, /^MODEL +RUNS +WEIGHTS +DESCRIPTION$/m);
    assert.match(list, /^test\/two +\d+ +ready +For a test\.$/m);
    assert.match(list, /^test\/wrong +0 +needs 3\.0 MB +For a test\.$/m);
    assert.match(list, /^test\/nobody +0 +no network +For a test\.$/m);
});
