// Rates, quotas of a day, and deadlines: their headers and bodies, and that what is rejected costs nothing.
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { Proxy } from "./proxy.mjs";
import { Server, ended, sleep, until, versionOf } from "./server.mjs";

const noop = versionOf("noop");
const create = (server, options) => server.call("POST", "/v1/predictions", { body: { version: noop, input: {} }, ...options });

let plain, slow;
before(async () => {
    plain = await Server.start();
    slow = await Server.start({ args: ["--creates-per-minute", "6"] });
});
after(async () => { assert.equal(await plain.stop(), 0, plain.log); assert.equal(await slow.stop(), 0, slow.log); });

function throttled(answer, seconds) {
    assert.equal(answer.status, 429);
    assert.equal(answer.text, `{"detail":"Request was throttled. Your rate limit resets in ~${seconds}s.","status":429,"retry_after":${seconds}}\n`);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.equal(answer.headers.get("retry-after"), String(seconds));
}

test("each kind of call tells what is left of its rate", async () => {
    const token = plain.command("tokens", "create").trim();
    const made = await create(plain, { token });
    const left = (answer) => [Number(answer.headers.get("ratelimit-remaining")), answer.headers.get("ratelimit-reset")];
    assert.deepEqual(left(made), [599, "1"]);
    assert.deepEqual(left(await plain.call("GET", `/v1/predictions/${made.json.id}`, { token })), [59999, "1"]);
    assert.deepEqual(left(await plain.call("GET", "/v1/predictions", { token })), [2999, "1"]);
    for (let i = 0; i < 3; i++) {
        const [remaining] = left(await create(plain, { token }));
        assert.ok(remaining >= 596 && remaining <= 599, String(remaining));
    }
});

test("files and 401 have no such headers", async () => {
    const form = new FormData();
    form.append("content", new Blob(["x"]), "x.txt");
    const uploaded = await plain.call("POST", "/v1/files", { body: form });
    assert.equal(uploaded.status, 201);
    for (const answer of [uploaded, await plain.call("GET", "/v1/files"), await plain.call("GET", "/v1/predictions", { token: "r8_wrong" })]) {
        assert.equal(answer.headers.get("ratelimit-remaining"), null);
        assert.equal(answer.headers.get("ratelimit-reset"), null);
    }
});

test("over the rate: 429, nothing made, other tokens and other calls go on", async () => {
    const token = slow.command("tokens", "create", "--account", "hasty").trim();
    for (let i = 0; i < 6; i++) {
        const answer = await create(slow, { token });
        assert.equal(answer.status, 201);
        assert.equal(answer.headers.get("ratelimit-remaining"), String(5 - i));
    }
    const began = Date.now();
    const answer = await create(slow, { token });
    const seconds = answer.json.retry_after;
    assert.ok(seconds === 10 || seconds === 9, answer.text);
    throttled(answer, seconds);
    for (const path of ["/v1/models/test/noop/predictions", "/replicate/v1/predictions", "/v1/v1/predictions", "/v1/%70redictions"])
        assert.equal((await slow.call("POST", path, { token, body: { input: {} } })).status, 429, path);
    const list = await slow.call("GET", "/v1/predictions", { token });
    assert.equal(list.status, 200);
    assert.equal(list.json.results.length, 6);
    assert.equal((await create(slow, { token: slow.command("tokens", "create").trim() })).status, 201);
    assert.ok(Date.now() - began < 9000);
});

test("the JavaScript client sends a throttled create six times at once; none makes a prediction", async () => {
    const token = slow.command("tokens", "create", "--account", "insistent").trim();
    for (let i = 0; i < 6; i++) assert.equal((await create(slow, { token })).status, 201);
    const proxy = await Proxy.start(slow.url);
    try {
        const client = slow.client({ auth: token, baseUrl: `${proxy.url}/v1` });
        await assert.rejects(client.predictions.create({ version: noop, input: {} }), /429 .*Request was throttled/);
        assert.deepEqual(proxy.requests.map(({ method, path, status }) => `${method} ${path} ${status}`), Array(6).fill("POST /v1/predictions 429"));
        assert.ok(proxy.requests.at(-1).at - proxy.requests[0].at < 1000);
    } finally {
        await proxy.stop();
    }
    assert.equal((await slow.call("GET", "/v1/predictions", { token })).json.results.length, 6);
});

test("the JavaScript client survives one 429", async () => {
    const server = await Server.start({ args: ["--creates-per-minute", "60"] });
    const token = server.command("tokens", "create").trim();
    const statuses = [];
    // The client does not wait before it sends again, so the way to the server does.
    const proxy = createServer((incoming, answer) => {
        const chunks = [];
        incoming.on("data", (chunk) => chunks.push(chunk));
        incoming.on("end", async () => {
            if (statuses.length > 0) await sleep(1200);
            const passed = request(server.url + incoming.url, { method: incoming.method, headers: incoming.headers }, (got) => {
                statuses.push(got.statusCode);
                answer.writeHead(got.statusCode, got.headers);
                got.pipe(answer);
            });
            passed.end(Buffer.concat(chunks));
        });
    });
    await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
    try {
        for (let i = 0; i < 62; i++) if ((await create(server, { token })).status === 429) break;
        const client = server.client({ auth: token, baseUrl: `http://127.0.0.1:${proxy.address().port}/v1` });
        assert.equal((await client.predictions.create({ version: noop, input: {} })).status, "starting");
        assert.deepEqual(statuses, [429, 201]);
    } finally {
        proxy.close();
        proxy.closeAllConnections();
        await server.stop();
    }
});

test("a plan's predictions of a day: refused beyond them, over a restart, and 422s take none", async () => {
    const args = ["--plan", "small:per-day=3", "--default-plan", "small"];
    let server = await Server.start({ args });
    const bad = () => server.call("POST", "/v1/predictions", { body: { version: noop, input: { text: 5 } } });
    for (let i = 0; i < 5; i++) assert.equal((await bad()).status, 422);
    for (let i = 0; i < 3; i++) assert.equal((await create(server)).status, 201);
    const over = (answer) => {
        const seconds = answer.json.retry_after;
        const midnight = Math.ceil((86400000 - Date.now() % 86400000) / 1000);
        assert.ok(Math.abs(seconds - midnight) <= 2, `${seconds} ${midnight}`);
        assert.equal(answer.status, 429);
        assert.equal(answer.headers.get("retry-after"), String(seconds));
        assert.equal(answer.text, `{"detail":"Request was throttled. The plan \\"small\\" allows 3 predictions a day. Your rate limit resets in ~${seconds}s.","status":429,"retry_after":${seconds}}\n`);
    };
    over(await create(server));
    await server.stop({ keep: true });
    server = await Server.start({ args, data: server.data });
    over(await create(server));
    assert.equal((await server.call("GET", "/v1/predictions")).json.results.length, 3);
    server.command("accounts", "set", "local", "--plan", "unlimited");
    await sleep(2500);
    assert.equal((await create(server)).status, 201);
    await server.stop();
});

test("every form of Cancel-After gives a deadline", async () => {
    for (const [text, seconds] of [["30", 30], ["30s", 30], ["5m", 300], ["2h", 7200], ["1m30s", 90], ["1h30m45s", 5445], ["24h", 86400]]) {
        const answer = await create(plain, { headers: { "cancel-after": text } });
        assert.equal(answer.status, 201, text);
        assert.equal(Date.parse(answer.json.deadline) - Date.parse(answer.json.created_at), seconds * 1000, text);
    }
    assert.ok(!("deadline" in (await create(plain)).json));
});

test("any other Cancel-After is refused", async () => {
    for (const text of ["4", "0", "24h1s", "soon", "-10", "10 s", "30s5m", "1.5m"]) {
        const answer = await create(plain, { headers: { "cancel-after": text } });
        assert.equal(answer.status, 422, text);
        assert.equal(answer.headers.get("content-type"), "application/problem+json");
        assert.deepEqual(Object.keys(answer.json), ["title", "detail", "status"]);
        assert.match(answer.json.detail, /5 seconds and 24 hours/);
    }
});

test("a deadline cancels what runs, and what waits, whatever Prefer says", async () => {
    const began = Date.now();
    const sleepy = (headers) => plain.call("POST", "/v1/models/test/sleep/predictions", { body: { input: { seconds: 60 } }, headers });
    const first = await sleepy({ "cancel-after": "6" });
    await until(plain.client(), first.json.id, (prediction) => prediction.status === "processing");
    const second = await sleepy({ "cancel-after": "5s", prefer: "wait=1" });
    assert.deepEqual([second.status, second.json.status, second.headers.get("preference-applied")], [202, "starting", "wait=1"]);
    assert.equal(Date.parse(second.json.deadline) - Date.parse(second.json.created_at), 5000);
    const ends = await Promise.all([first, second].map(({ json }) => until(plain.client(), json.id, ended)));
    assert.ok(Date.now() - began < 12000);
    for (const { status, deadline, completed_at, output } of ends) {
        const late = Date.parse(completed_at) - Date.parse(deadline);
        assert.ok(status === "canceled" && output === null, status);
        assert.ok(late >= -5 && late < 2500, `${late} ms after its deadline`);
    }
    assert.ok(ends[0].started_at, "this one ran");
    assert.ok(!ends[1].started_at, "this one waited");
});

test("--abort-unstarted: a deadline before the start gives aborted", async () => {
    const server = await Server.start({ args: ["--abort-unstarted"] });
    const sleepy = (headers) => server.call("POST", "/v1/models/test/sleep/predictions", { body: { input: { seconds: 60 } }, headers });
    try {
        const first = await sleepy({ "cancel-after": "8" });
        await until(server.client(), first.json.id, (prediction) => prediction.status === "processing");
        const second = await sleepy({ "cancel-after": "5" });
        assert.equal((await until(server.client(), second.json.id, ended)).status, "aborted");
        assert.equal((await until(server.client(), first.json.id, ended)).status, "canceled");
    } finally {
        await server.stop();
    }
});
