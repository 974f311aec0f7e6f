// Idempotency-Key: a create that is sent again makes nothing new.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Server, ended, until, versionOf } from "./server.mjs";

const noop = versionOf("noop");
let server;
before(async () => { server = await Server.start(); });
after(async () => { assert.equal(await server.stop(), 0, server.log); });

const create = (key, { input = { text: "once" }, headers, ...options } = {}) =>
    server.call("POST", "/v1/predictions", { body: { version: noop, input }, headers: { "idempotency-key": key, ...headers }, ...options });

async function made(text) {
    const list = await server.call("GET", "/v1/predictions");
    return list.json.results.filter((prediction) => prediction.input.text === text).length;
}

test("the same create again gives the same prediction, as it is now", async () => {
    const key = randomUUID();
    const first = await create(key, { input: { text: "again", a: 1 } });
    assert.equal(first.status, 201);
    assert.equal(first.headers.get("idempotent-replayed"), null);
    await until(server.client(), first.json.id, ended);
    const second = await create(key, { input: { a: 1, text: "again" } });
    assert.equal(second.status, 201);
    assert.equal(second.json.id, first.json.id);
    assert.equal(second.json.status, "succeeded");
    assert.equal(second.json.output, "again");
    assert.equal(second.headers.get("idempotent-replayed"), "true");
    assert.equal(second.headers.get("location"), first.headers.get("location"));
    assert.equal(await made("again"), 1);
});

test("with Prefer: wait it waits for the one there is", async () => {
    const key = randomUUID();
    const slow = (headers) => server.call("POST", "/v1/models/test/sleep/predictions", { body: { input: { seconds: 1.5 } }, headers: { "idempotency-key": key, ...headers } });
    const first = await slow({});
    const second = await slow({ prefer: "wait" });
    assert.equal(second.json.id, first.json.id);
    assert.equal(second.status, 201);
    assert.equal(second.json.output, "slept");
    assert.equal(second.headers.get("idempotent-replayed"), "true");
    assert.equal(second.headers.get("preference-applied"), "wait");
});

test("another request with the same key is refused", async () => {
    const key = randomUUID();
    assert.equal((await create(key)).status, 201);
    const others = [await create(key, { input: { text: "twice" } }),
        await server.call("POST", "/v1/models/test/noop/predictions", { body: { input: { text: "once" } }, headers: { "idempotency-key": key } })];
    for (const answer of others) {
        assert.equal(answer.status, 422);
        assert.equal(answer.json.title, "Idempotency key reused");
        assert.deepEqual(Object.keys(answer.json), ["title", "detail", "status"]);
        assert.equal(answer.headers.get("content-type"), "application/problem+json");
    }
});

test("twenty at once make one", async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(key, { input: { text: "crowd" } })));
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [201]);
    assert.equal(new Set(answers.map((answer) => answer.json.id)).size, 1);
    assert.equal(answers.filter((answer) => answer.headers.get("idempotent-replayed") === null).length, 1);
    assert.equal(await made("crowd"), 1);
});

test("a refused create does not use its key", async () => {
    const key = randomUUID();
    assert.equal((await create(key, { input: { text: 5 } })).status, 422);
    assert.equal((await create(key)).status, 201);
});

test("keys are an account's own, and have up to 255 printable characters", async () => {
    const key = randomUUID();
    const token = server.command("tokens", "create", "--account", "other").trim();
    const [mine, theirs] = [await create(key), await create(key, { token })];
    assert.notEqual(mine.json.id, theirs.json.id);
    assert.equal((await create("k".repeat(255))).status, 201);
    for (const bad of ["k".repeat(256), "\x80\x81"]) {
        const answer = await create(bad);
        assert.equal(answer.status, 422);
        assert.equal(answer.json.title, "Invalid Idempotency-Key");
    }
});

test("a key holds over a restart", async () => {
    const first = await create("restart");
    await server.stop({ keep: true });
    server = await Server.start({ data: server.data });
    const second = await create("restart");
    assert.equal(second.json.id, first.json.id);
    assert.equal(second.headers.get("idempotent-replayed"), "true");
});

test("a replay takes nothing from the day's quota", async () => {
    const small = await Server.start({ args: ["--plan", "two:per-day=2", "--default-plan", "two"] });
    const send = (key) => small.call("POST", "/v1/predictions", { body: { version: noop, input: {} }, headers: { "idempotency-key": key } });
    try {
        for (let i = 0; i < 5; i++) assert.equal((await send("a")).status, 201);
        assert.equal((await send("b")).status, 201);
        assert.equal((await send("c")).status, 429);
        const again = await send("b");
        assert.deepEqual([again.status, again.headers.get("idempotent-replayed")], [201, "true"], "also when the day's quota is used up");
    } finally {
        await small.stop();
    }
});
