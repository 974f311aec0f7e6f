// Clients meant to hurt, below and above JSON: header floods, slow bodies, broken framing, bombs of JSON, malformed data URLs.
// After each, everybody else is served, and the server has not grown without bound.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { Server, TOKEN, sleep, versionOf } from "./server.mjs";

const RESIDENT_MAX = 700 << 20;
const noop = versionOf("noop");
let server;
before(async () => { server = await Server.start({ args: ["--connections", "200"] }); });
after(async () => { assert.equal(await server.stop(), 0, server.log); });
afterEach(async () => {
    const answer = await server.call("POST", "/v1/models/test/noop/predictions", { body: { input: { text: "here" } }, headers: { prefer: "wait=20" } });
    assert.equal(answer.json.output, "here", answer.text);
    const resident = Number(readFileSync(`/proc/${server.process.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) * 1024;
    assert.ok(resident < RESIDENT_MAX, `${resident >> 20} MiB`);
});

// A socket; `text` grows with what comes back.
function open() {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.text = "";
    socket.on("data", (chunk) => { socket.text += chunk; });
    socket.on("error", () => {});
    socket.closed_ = new Promise((done) => socket.once("close", done));
    return socket;
}

async function answerTo(request, ms = 5000) {
    const socket = open();
    socket.write(request);
    for (const end = Date.now() + ms; Date.now() < end && !/^HTTP\/1\.1 \d+[^]*\r\n\r\n/.test(socket.text) && !socket.destroyed; await sleep(10));
    socket.destroy();
    return Number(socket.text.match(/^HTTP\/1\.1 (\d+)/)?.[1] ?? 0);
}

const HEAD = `host: localhost\r\nauthorization: Bearer ${TOKEN}\r\n`;

test("a flood of headers", async () => {
    assert.equal(await answerTo(`GET /v1/models HTTP/1.1\r\n${HEAD}${"x-a: b\r\n".repeat(5000)}\r\n`), 431);
    assert.equal(await answerTo(`GET /v1/models HTTP/1.1\r\n${HEAD}x-a: ${"b".repeat(1 << 20)}\r\n\r\n`), 431);
    const uri = await answerTo(`GET /v1/models?${"a".repeat(1 << 20)} HTTP/1.1\r\n${HEAD}\r\n`);
    assert.ok([414, 431].includes(uri), String(uri));
    assert.equal(await answerTo(`GET /v1/models HTTP/1.1\r\n${HEAD}${"x-a: b\r\n".repeat(100)}\r\n`), 200);
});

test("headers without an end use no thread and little memory", async () => {
    const sockets = Array.from({ length: 100 }, open);
    for (const socket of sockets) socket.write(`GET /v1/models HTTP/1.1\r\n${HEAD}`);
    for (let i = 0; i < 5; i++) { for (const socket of sockets) socket.write(`x-${i}: y\r\n`); await sleep(50); }
    const began = Date.now();
    assert.equal((await server.call("GET", "/v1/models")).status, 200);
    assert.ok(Date.now() - began < 2000);
    for (const socket of sockets) socket.destroy();
});

test("a body that trickles in keeps nobody waiting, and counts when it is whole", async () => {
    const body = JSON.stringify({ version: noop, input: { text: "slow" } });
    const sockets = Array.from({ length: 50 }, open);
    for (const socket of sockets) socket.write(`POST /v1/predictions HTTP/1.1\r\n${HEAD}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`);
    for (const byte of body.slice(0, -1)) { for (const socket of sockets) socket.write(byte); await sleep(3); }
    assert.equal((await server.call("GET", "/v1/models")).status, 200);
    assert.ok(sockets.every((socket) => socket.text === ""), "nothing is answered early");
    for (const socket of sockets.slice(0, 5)) socket.write(body.at(-1));
    for (const socket of sockets.slice(0, 5)) {
        for (let i = 0; i < 300 && !socket.text.startsWith("HTTP/1.1 201"); i++) await sleep(10);
        assert.match(socket.text, /^HTTP\/1\.1 201 /);
    }
    for (const socket of sockets) socket.destroy(); // the other 45 in the middle of their bodies
});

test("broken framing is refused", async () => {
    const post = `POST /v1/predictions HTTP/1.1\r\n${HEAD}content-type: application/json\r\n`;
    const cases = [
        `${post}content-length: -1\r\n\r\n`, `${post}content-length: 99999999999999999999999\r\n\r\n`, `${post}content-length: 1x\r\n\r\n{`,
        `${post}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, `${post}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
        `${post}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n`, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "GET\r\n\r\n", `GET /v1/models HTTP/9.9\r\n${HEAD}\r\n`, `GET /v1/../../etc/passwd HTTP/1.1\r\n${HEAD}\r\n`, `GET /v1/\u0000 HTTP/1.1\r\n${HEAD}\r\n`,
        `GET /outputs/../../store.db HTTP/1.1\r\n${HEAD}\r\n`,
    ];
    for (const request of cases) {
        const status = await answerTo(request, 1500);
        assert.ok(status === 0 || (status >= 400 && status < 600 && status !== 500), `${status} to ${JSON.stringify(request.slice(-60))}`);
    }
});

test("bombs of JSON", async () => {
    const json = { "content-type": "application/json" };
    const deep = (open, close, times) => `{"version":"${noop}","input":{"text":${open.repeat(times)}${close.repeat(times)}}}`;
    const bodies = {
        "lists in lists": deep("[", "]", 1_000_000), "objects in objects": `{"version":"${noop}","input":${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}}`,
        "a number of a million digits": `{"version":"${noop}","input":{"text":${"1".repeat(1 << 20)}}}`, "only white space": " ".repeat(4 << 20),
        "an exponent": `{"version":"${noop}","input":{"text":1e99999999}}`, "zero bytes": "\0".repeat(1 << 20), "a zero byte in a key": `{"version":"${noop}","input":{"a\\u0000b":1}}`,
        "ten thousand wrong keys": `{"version":"${noop}","input":{},${Array.from({ length: 10_000 }, (_, i) => `"k${i}":1`).join(",")}}`,
        "ten thousand equal keys": `{"version":"${noop}","input":{${Array.from({ length: 10_000 }, () => '"k":1').join(",")}}}`,
    };
    for (const [what, body] of Object.entries(bodies)) {
        const began = Date.now();
        const answer = await server.call("POST", "/v1/predictions", { body, headers: json });
        assert.ok([400, 413, 422].includes(answer.status), `${what}: ${answer.status} ${answer.text.slice(0, 200)}`);
        assert.equal(typeof answer.json.detail, "string", what);
        assert.doesNotMatch(answer.json.detail, /JSON_|\.c:/, what);
        assert.ok(answer.text.length < 1 << 20, `${what}: an answer of ${answer.text.length} bytes`);
        assert.ok(Date.now() - began < 5000, `${what}: ${Date.now() - began} ms`);
    }
});

test("ten thousand keys that collide or are unknown are taken as fast as others", async () => {
    const input = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key-${i}`, "v"]));
    const began = Date.now();
    const answer = await server.call("POST", "/v1/predictions", { body: { version: noop, input } });
    assert.equal(answer.status, 201, answer.text.slice(0, 200));
    assert.ok(Date.now() - began < 3000);
});

test("data URLs that are none fail with the input's name", async () => {
    const urls = ["data:", "data:,%zz", "data:;base64,!!!!", "data:image/png;base64,AAA=AAA", "data:image/png;base64", `data:${"a".repeat(100_000)},x`,
        "data:image/png;base64,\u00e9", "data:,%", "data:;base64,A", "DATA:;BASE64,====", "data:../../x;base64,AAAA", "data:image/%00;base64,AAAA"];
    for (const image of urls) {
        const answer = await server.call("POST", "/v1/models/test/copy_file/predictions", { body: { input: { image } }, headers: { prefer: "wait=20" } });
        if (answer.status === 422) { assert.match(answer.json.detail, /^- input\.image: /); continue; }
        assert.equal(answer.status, 201, answer.text.slice(0, 300));
        if (answer.json.status === "failed") assert.match(answer.json.error, /^The input 'image' could not be read: [A-Z].*\.$/, image.slice(0, 60));
        else assert.equal(answer.json.status, "succeeded", `${image.slice(0, 60)}: ${answer.text.slice(0, 300)}`);
    }
});

test("URLs that lead to places of ours or of nobody", async () => {
    for (const image of ["file:///etc/passwd", "http://127.0.0.1:1/", "http://[::1]:1/", "http://169.254.169.254/latest/meta-data/", "http://0/", "http://2130706433/",
        "gopher://127.0.0.1/", "http://localhost:22/", `${server.url}/v1/files/${"A".repeat(48)}`, `${server.url}/outputs/../store.db`, "http://", "http://\u0000/", "https://user:pass@127.0.0.1/"]) {
        const answer = await server.call("POST", "/v1/models/test/copy_file/predictions", { body: { input: { image } }, headers: { prefer: "wait=30" } });
        if (answer.status === 422 || answer.status === 400) continue;
        assert.equal(answer.status, 201, `${image}: ${answer.text.slice(0, 300)}`);
        assert.equal(answer.json.status, "failed", `${image}: ${answer.text.slice(0, 300)}`);
        assert.match(answer.json.error, /^The input 'image' could not be read: [A-Z].*\.$/, image);
    }
});

test("more connections than there may be", async () => {
    const sockets = Array.from({ length: 400 }, open);
    await sleep(300);
    for (const socket of sockets) socket.destroy();
    await sleep(300);
});

test("who has no token does not get to fill the memory", async () => {
    const resident = () => Number(readFileSync(`/proc/${server.process.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024;
    const before = resident(), megabytes = 40;
    for (const length of [`content-length: ${megabytes << 20}`, "transfer-encoding: chunked"]) {
        const sockets = Array.from({ length: 5 }, () => {
            const socket = open();
            socket.write(`POST /v1/predictions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${length}\r\n\r\n`);
            if (length.endsWith("chunked")) socket.write(`${(megabytes << 20).toString(16)}\r\n`);
            for (let i = 1; i < megabytes; i++) socket.write(Buffer.alloc(1 << 20, 32));
            return socket;
        });
        for (let i = 0; i < 300 && sockets.some((socket) => socket.writableLength > 0 && !socket.destroyed); i++) await sleep(20);
        assert.ok(resident() - before < 30, `${resident() - before} MiB more`);
        for (const socket of sockets) socket.destroy();
    }
    // Told the length, a client that is well behaved gets the plain answer.
    assert.equal((await server.call("POST", "/v1/predictions", { token: null, body: { version: noop, input: { text: "x".repeat(1 << 20) } } })).status, 401);
    assert.equal((await server.call("POST", "/v1/predictions", { body: { version: noop, input: { text: "x".repeat(1 << 20) } } })).status, 201);
});
