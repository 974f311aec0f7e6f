// Webhooks, with a receiver of our own on loopback: what arrives, when, how often, and signed how.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { webcrypto } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { validateWebhook } from "replicate";
import { Server, TOKEN, build, ended, sleep, until, versionOf } from "./server.mjs";

// got: [{ path, headers, text, json, at }]; answer(message, response) may be set.
class Receiver {
    static async start(port = 0) {
        const receiver = new Receiver();
        receiver.got = [];
        receiver.answer = (_, response) => response.writeHead(200).end("ok");
        receiver.server = createServer((request, response) => {
            const chunks = [];
            request.on("data", (chunk) => chunks.push(chunk));
            request.on("end", () => {
                const text = Buffer.concat(chunks).toString();
                const message = { method: request.method, path: request.url, headers: request.headers, text, at: Date.now() };
                try { message.json = JSON.parse(text); } catch { /* not JSON */ }
                receiver.got.push(message);
                receiver.answer(message, response);
            });
        });
        await new Promise((done) => receiver.server.listen(port, "127.0.0.1", done));
        receiver.port = receiver.server.address().port;
        receiver.url = `http://127.0.0.1:${receiver.port}`;
        return receiver;
    }

    // Those to one path, when there are as many.
    async wait(path, count, ms = 15000) {
        for (const end = Date.now() + ms; ; await sleep(10)) {
            const got = this.got.filter((message) => message.path === path);
            if (got.length >= count) return got;
            if (Date.now() > end) throw new Error(`${path}: ${got.length} of ${count} webhooks after ${ms} ms\n${server.log}`);
        }
    }

    stop() { return new Promise((done) => { this.server.close(done); this.server.closeAllConnections(); }); }
}

const options = { allowPrivate: true, args: ["--webhook-first-retry", "200", "--webhook-timeout", "3000"] };
let server, replicate, receiver;
before(async () => {
    server = await Server.start(options);
    replicate = server.client();
    receiver = await Receiver.start();
});
after(async () => { await server.stop(); await receiver.stop(); });

const statuses = (got) => got.map(({ json }) => json.status);
const textList = (hook, text, pause_ms, webhook_events_filter) => replicate.predictions.create({ model: "test/text_list",
    input: { text, pause_ms }, webhook: `${receiver.url}${hook}`, ...(webhook_events_filter ? { webhook_events_filter } : {}) });
const deliveries = async (id) => (await server.call("GET", `/v1/webhooks/deliveries?prediction=${id}`)).json.results;

async function delivery(id, test, ms = 10000) {
    for (const end = Date.now() + ms; ; await sleep(20)) {
        const [one] = await deliveries(id);
        if (one && test(one)) return one;
        if (Date.now() > end) throw new Error(`the delivery is ${JSON.stringify(one)}`);
    }
}

test("start and completed: exactly two, in order; the last is what GET gives", async () => {
    const { id } = await textList("/two?a=b%20c&d", "<b>é</b>&amp; \"b\" /c\\\u2028", 20, ["start", "completed"]);
    const got = await receiver.wait("/two?a=b%20c&d", 2);
    await sleep(700);
    assert.equal(receiver.got.filter(({ path }) => path.startsWith("/two")).length, 2);
    assert.deepEqual(statuses(got), ["processing", "succeeded"]);
    assert.equal(got[0].json.output, null);
    assert.equal(got[0].json.completed_at, undefined);
    assert.deepEqual(got[1].json, await replicate.predictions.get(id));
    assert.equal(got[1].text, JSON.stringify(got[1].json)); // compact, and nothing escaped that need not be
    for (const { method, headers } of got) {
        assert.equal(method, "POST");
        assert.equal(headers["content-type"], "application/json");
        assert.match(headers["webhook-id"], /^msg_[0-9A-Za-z]{27}$/);
        assert.match(headers["webhook-timestamp"], /^\d{10}$/);
        assert.match(headers["webhook-signature"], /^v1,[0-9A-Za-z+/]{43}=$/);
        assert.match(headers["user-agent"], /^Mimeo\/\d/);
        assert.ok(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1000) < 300);
    }
    assert.notEqual(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
});

test("a start is told although the end came at once", async () => {
    for (let i = 0; i < 5; i++) {
        const hook = `/quick${i}`;
        await replicate.predictions.create({ model: "test/noop", input: { text: "x" }, webhook: receiver.url + hook, webhook_events_filter: ["start", "completed"] });
        assert.deepEqual(statuses(await receiver.wait(hook, 2)), ["processing", "succeeded"]);
    }
});

test("by default outputs and the end; outputs at most every 500 ms, the end at once", async () => {
    const words = Array.from({ length: 60 }, (_, i) => `w${i}`);
    const { id } = await textList("/default", words.join(" "), 25);
    const prediction = await until(replicate, id, ended);
    const seen = Date.now();
    for (const end = Date.now() + 5000; !receiver.got.some(({ path, json }) => path === "/default" && json.status === "succeeded"); await sleep(10))
        assert.ok(Date.now() < end);
    assert.ok(Date.now() - seen < 1000);
    await sleep(600);
    const got = receiver.got.filter(({ path }) => path === "/default");
    assert.equal(got.at(-1).json.status, "succeeded");
    assert.deepEqual(got.at(-1).json.output, prediction.output);
    const outputs = got.slice(0, -1);
    assert.ok(outputs.length >= 2 && outputs.length <= 5, `${outputs.length} outputs in some 1.5 s`);
    assert.ok(outputs.every(({ json }) => json.status === "processing" && json.output.length > 0));
    for (let i = 1; i < outputs.length; i++) {
        assert.ok(outputs[i].at - outputs[i - 1].at >= 490, `${outputs[i].at - outputs[i - 1].at} ms`);
        assert.ok(outputs[i].json.output.length > outputs[i - 1].json.output.length);
    }
});

test("logs alone", async () => {
    const { id } = await textList("/logs", "a b c d", 300, ["logs"]);
    await until(replicate, id, ended);
    await sleep(300);
    const got = receiver.got.filter(({ path }) => path === "/logs");
    assert.ok(got.length >= 1 && got.length <= 3, `${got.length}`);
    assert.ok(got.every(({ json }) => json.status === "processing" && json.logs.includes("a word of")));
    for (let i = 1; i < got.length; i++) assert.ok(got[i].at - got[i - 1].at >= 490, `${got[i].at - got[i - 1].at} ms`);
    assert.deepEqual(await deliveries(id), []);
});

test("a failed and a canceled prediction are told of, too", async () => {
    const failed = await replicate.predictions.create({ model: "test/exit", input: {}, webhook: `${receiver.url}/failed`, webhook_events_filter: ["completed"] });
    const [message] = await receiver.wait("/failed", 1);
    assert.equal(message.json.status, "failed");
    assert.deepEqual(message.json, await replicate.predictions.get(failed.id));
    const canceled = await textList("/canceled", "a b", 10000, ["completed"]);
    await until(replicate, canceled.id, ({ status }) => status === "processing");
    await replicate.predictions.cancel(canceled.id);
    assert.deepEqual(statuses(await receiver.wait("/canceled", 1)), ["canceled"]);
});

test("a deployment's prediction is told of like any other", async () => {
    await replicate.deployments.create({ name: "hooked", model: "test/noop", version: versionOf("noop"), hardware: "cpu", min_instances: 0, max_instances: 1 });
    const { id } = await replicate.deployments.predictions.create("local", "hooked", {
        input: { text: "x" }, webhook: `${receiver.url}/deployed`, webhook_events_filter: ["start", "completed"] });
    const got = await receiver.wait("/deployed", 2);
    assert.deepEqual(statuses(got), ["processing", "succeeded"]);
    assert.deepEqual([got[1].json.id, got[1].json.deployment], [id, "local/hooked"]);
});

test("the official client's validateWebhook says yes, and no to anything else", async () => {
    const secret = await replicate.webhooks.default.secret.get();
    assert.match(secret.key, /^whsec_[0-9A-Za-z+/]{32}$/);
    await textList("/signed", "a", 0, ["completed"]);
    const [{ headers, text }] = await receiver.wait("/signed", 1);
    const data = { id: headers["webhook-id"], timestamp: headers["webhook-timestamp"], signature: headers["webhook-signature"], body: text, secret: secret.key };
    assert.equal(await validateWebhook(data, webcrypto), true);
    assert.equal(await validateWebhook({ ...data, body: `${text} ` }, webcrypto), false);
    assert.equal(await validateWebhook({ ...data, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }, webcrypto), false);
});

test("after a rotation the new and the old secret sign", async () => {
    const old = (await replicate.webhooks.default.secret.get()).key;
    const { status, json } = await server.call("POST", "/v1/webhooks/default/secret");
    assert.equal(status, 200);
    assert.notEqual(json.key, old);
    assert.equal((await replicate.webhooks.default.secret.get()).key, json.key);
    await textList("/rotated", "a", 0, ["completed"]);
    const [{ headers, text }] = await receiver.wait("/rotated", 1);
    assert.match(headers["webhook-signature"], /^v1,\S{44} v1,\S{44}$/);
    for (const secret of [old, json.key])
        assert.equal(await validateWebhook({ id: headers["webhook-id"], timestamp: headers["webhook-timestamp"], signature: headers["webhook-signature"], body: text, secret }, webcrypto), true);
});

test("an end is sent again after errors, with the same id, and then no more", async () => {
    let left = 3;
    receiver.answer = ({ path }, response) => response.writeHead(path === "/errors" && left-- > 0 ? [500, 404, 302][left] : 200, { location: `${receiver.url}/redirected` }).end();
    const { id } = await textList("/errors", "a", 0, ["completed"]);
    const got = await receiver.wait("/errors", 4);
    receiver.answer = (_, response) => response.writeHead(204).end();
    assert.equal(new Set(got.map(({ headers }) => headers["webhook-id"])).size, 1);
    for (let i = 1; i < got.length; i++) {
        const paused = got[i].at - got[i - 1].at, least = 200 * 2 ** (i - 1);
        assert.ok(paused >= least - 10 && paused < least * 1.25 + 1000, `${paused} ms after attempt ${i}`);
    }
    const { key } = await replicate.webhooks.default.secret.get();
    for (const { headers, text, at } of got) {
        assert.ok(Math.abs(Number(headers["webhook-timestamp"]) - at / 1000) < 3, "each attempt is stamped anew");
        assert.equal(await validateWebhook({ id: headers["webhook-id"], timestamp: headers["webhook-timestamp"], signature: headers["webhook-signature"],
            body: text, secret: key }, webcrypto), true);
    }
    assert.ok(Number(got.at(-1).headers["webhook-timestamp"]) > Number(got[0].headers["webhook-timestamp"]));
    assert.equal(receiver.got.filter(({ path }) => path === "/redirected").length, 0);
    const one = await delivery(id, ({ state }) => state === "delivered");
    assert.equal(one.id, got[0].headers["webhook-id"]);
    assert.equal(one.attempts, 4);
    assert.equal(one.last_status, 200);
    assert.equal(one.next_at, null);
    await sleep(500);
    assert.equal(receiver.got.filter(({ path }) => path === "/errors").length, 4);
});

test("an end is sent again to a receiver that was not there", async () => {
    const down = await Receiver.start();
    await down.stop();
    const { id } = await replicate.predictions.create({ model: "test/noop", input: { text: "x" }, webhook: `${down.url}/later`, webhook_events_filter: ["completed"] });
    const tried = await delivery(id, ({ attempts }) => attempts >= 1);
    assert.deepEqual([tried.state, tried.last_status], ["pending", null]);
    assert.ok(tried.last_error);
    const up = await Receiver.start(down.port);
    const [{ headers, json }] = await up.wait("/later", 1);
    assert.deepEqual([headers["webhook-id"], json.id, json.status], [tried.id, id, "succeeded"]);
    assert.ok((await delivery(id, ({ state }) => state === "delivered")).attempts >= 2);
    await up.stop();
});

test("what comes before the end is sent once, whatever the answer", async () => {
    receiver.answer = ({ json }, response) => response.writeHead(json.status === "succeeded" ? 200 : 500).end();
    await textList("/once", "a b c", 20, ["start", "completed"]);
    const got = await receiver.wait("/once", 2);
    await sleep(1000);
    receiver.answer = (_, response) => response.writeHead(200).end();
    assert.deepEqual(statuses(got), ["processing", "succeeded"]);
    assert.equal(receiver.got.filter(({ path }) => path === "/once").length, 2);
});

test("a receiver that does not answer delays nobody else, and its events keep their order", async () => {
    receiver.answer = ({ path }, response) => { if (path !== "/hangs") response.writeHead(200).end(); };
    const other = await Receiver.start();
    other.answer = () => {}; // never
    const stuck = [];
    for (let i = 0; i < 12; i++)
        stuck.push(await replicate.predictions.create({ model: "test/noop", input: { text: "x" }, webhook: `${other.url}/never`, webhook_events_filter: ["start", "completed"] }));
    const began = Date.now();
    await textList("/meanwhile", "a", 0, ["completed"]);
    await receiver.wait("/meanwhile", 1);
    assert.ok(Date.now() - began < 2000, `${Date.now() - began} ms`);
    const one = await delivery(stuck[0].id, ({ attempts }) => attempts > 0, 20000);
    assert.equal(one.state, "pending");
    assert.equal(one.last_status, null);
    assert.ok(one.last_error);
    const first = other.got.filter(({ json }) => json.id === stuck[0].id);
    assert.equal(first[0].json.status, "processing");
    assert.equal(first[1].json.status, "succeeded");
    other.answer = (_, response) => response.writeHead(200).end();
    for (const { id } of stuck) await delivery(id, ({ state }) => state === "delivered", 30000);
    await other.stop();
    receiver.answer = (_, response) => response.writeHead(200).end();
});

test("replay sends it again, over HTTP and from the command line; not another account's", async () => {
    const { id } = await textList("/replayed", "a", 0, ["completed"]);
    await receiver.wait("/replayed", 1);
    const one = await delivery(id, ({ state }) => state === "delivered");
    assert.deepEqual(Object.keys(one), ["id", "prediction", "url", "state", "attempts", "last_status", "last_error", "created_at", "next_at", "completed_at"]);
    const answer = await server.call("POST", `/v1/webhooks/deliveries/${one.id}/replay`);
    assert.equal(answer.status, 202);
    assert.equal(answer.json.state, "pending");
    await receiver.wait("/replayed", 2);
    await delivery(id, ({ state }) => state === "delivered");
    const mimeo = (...args) => execFileSync(join(build, "mimeo"), ["webhooks", ...args], { env: { ...process.env, MIMEO_URL: server.url, MIMEO_TOKEN: TOKEN } }).toString();
    mimeo("replay", one.id);
    const got = await receiver.wait("/replayed", 3);
    assert.equal(new Set(got.map(({ headers }) => headers["webhook-id"])).size, 1);
    assert.match(mimeo("list", id), new RegExp(`${one.id}.*/replayed`));
    assert.match(mimeo("secret"), /^whsec_\S{32}\n$/);
    assert.notEqual(mimeo("secret", "--rotate"), mimeo("secret", "--rotate"));
    for (const wrong of ["msg_000000000000000000000000000", "x", "x".repeat(300)])
        assert.equal((await server.call("POST", `/v1/webhooks/deliveries/${wrong}/replay`)).status, 404);
    const stranger = server.command("tokens", "create", "--account", "stranger").trim();
    assert.equal((await server.call("POST", `/v1/webhooks/deliveries/${one.id}/replay`, { token: stranger })).status, 404);
    assert.deepEqual((await server.call("GET", `/v1/webhooks/deliveries?prediction=${id}`, { token: stranger })).json.results, []);
    const secrets = await Promise.all([stranger, TOKEN].map((token) => server.call("GET", "/v1/webhooks/default/secret", { token })));
    assert.notEqual(secrets[0].json.key, secrets[1].json.key);
});

test("an end survives kill -9 and is delivered by the next server", async () => {
    const down = await Receiver.start();
    await down.stop();
    const first = await Server.start({ ...options, args: ["--webhook-first-retry", "1000"] });
    const { id } = await first.client().predictions.create({ model: "test/noop", input: { text: "x" }, webhook: `${down.url}/survives`, webhook_events_filter: ["completed"] });
    await until(first.client(), id, ended);
    await sleep(300);
    first.process.kill("SIGKILL");
    await first.ended;
    const up = await Receiver.start(down.port);
    const second = await Server.start({ ...options, data: first.data });
    const [{ json }] = await up.wait("/survives", 1);
    assert.equal(json.id, id);
    assert.equal(json.status, "succeeded");
    await sleep(500);
    assert.equal(up.got.length, 1);
    assert.equal(await second.stop(), 0);
    await up.stop();
});

test("without the option private addresses are not called; what is no URL is refused at once", async (t) => {
    const careful = await Server.start();
    t.after(() => careful.stop());
    const hook = { version: versionOf("noop"), input: { text: "x" }, webhook_events_filter: ["start", "completed"] };
    const { status, json } = await careful.call("POST", "/v1/predictions", { body: { ...hook, webhook: `${receiver.url}/private` } });
    assert.equal(status, 201);
    await until(careful.client(), json.id, ended);
    let one;
    for (const end = Date.now() + 10000; !one?.attempts; await sleep(50)) {
        assert.ok(Date.now() < end);
        [one] = (await careful.call("GET", "/v1/webhooks/deliveries")).json.results;
    }
    assert.equal(one.state, "failed", "the address will not become another");
    assert.equal(one.attempts, 1);
    assert.ok(one.last_error);
    assert.equal(receiver.got.filter(({ path }) => path === "/private").length, 0);
    for (const webhook of ["ftp://example.com/", "https://user:password@example.com/", "x", "http://"])
        assert.equal((await careful.call("POST", "/v1/predictions", { body: { ...hook, webhook } })).status, 422, webhook);
});
