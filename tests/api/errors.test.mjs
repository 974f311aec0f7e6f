// Wrong requests: exact bodies, and bodies meant to hurt.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { Server, TOKEN, ended, until, versionOf } from "./server.mjs";

let server, replicate;
before(async () => { server = await Server.start(); replicate = server.client(); });
after(async () => { assert.equal(await server.stop(), 0, server.log); });

const noop = versionOf("noop");
const NOT_FOUND = '{"detail":"The requested resource could not be found.","status":404}\n';

function same(answer, status, text) {
    assert.equal(answer.text, text);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.equal(Number(answer.headers.get("content-length")), Buffer.byteLength(text));
}

test("no token", async () => {
    const text = '{"title":"Unauthenticated","detail":"You did not pass an authentication token","status":401}\n';
    for (const path of ["/v1/predictions", "/v1/models", "/v1/collections", "/v1/hardware", "/v1/account", "/v1/account/usage", "/v1/deployments", "/v1/trainings", "/v1/files", "/v1/files/none", "/replicate/v1/predictions", `/v1/predictions/${"a".repeat(26)}`])
        same(await server.call("GET", path, { token: null }), 401, text);
    same(await server.call("GET", "/v1/models", { token: null, headers: { authorization: "" } }), 401, text);
});

test("an unknown token", async () => {
    const text = '{"title":"Unauthenticated","detail":"You did not pass a valid authentication token","status":401}\n';
    const answer = await server.call("POST", "/v1/predictions", { token: "r8_wrong", body: { version: noop, input: {} } });
    same(answer, 401, text);
    assert.equal(answer.headers.get("content-length"), "98");
    assert.equal(answer.headers.get("www-authenticate"), null);
    assert.equal(answer.headers.get("ratelimit-remaining"), null);
    same(await server.call("GET", "/v1/models", { token: null, headers: { authorization: `Basic ${TOKEN}` } }), 401, text);
    await assert.rejects(server.client({ auth: "r8_wrong" }).predictions.list(), ({ message }) => message.includes("401") && message.includes(text));
});

test("Bearer and Token, in any case", async () => {
    for (const scheme of ["Bearer", "bearer", "Token", "TOKEN"])
        assert.equal((await server.call("GET", "/v1/models", { token: null, headers: { authorization: `${scheme} ${TOKEN}` } })).status, 200);
});

test("what does not exist", async () => {
    same(await server.call("GET", `/v1/predictions/${"0".repeat(26)}`), 404, NOT_FOUND);
    same(await server.call("GET", "/v1/predictions/none"), 404, NOT_FOUND);
    same(await server.call("POST", `/v1/predictions/${"0".repeat(26)}/cancel`), 404, NOT_FOUND);
    same(await server.call("POST", "/v1/models/test/nobody/predictions", { body: { input: {} } }), 404, NOT_FOUND);
    same(await server.call("GET", "/v1/nothing"), 404, NOT_FOUND);
    same(await server.call("GET", "/v1/files/none"), 404, '{"detail":"File not found"}\n');
});

test("unknown versions", async () => {
    const text = '{"title":"Invalid version or not permitted","detail":"The specified version does not exist (or perhaps you don\'t have permission to use it?)","status":422}\n';
    for (const version of ["0".repeat(64), "test/noop:latest", "test/nobody", "", "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccab", "\u0001/"])
        same(await server.call("POST", "/v1/predictions", { body: { version, input: {} } }), 422, text);
});

test("a wrong envelope", async () => {
    same(await server.call("POST", "/v1/predictions", { body: { model: "test/noop", input: {} } }), 422,
        '{"detail":"- version is required\\n- Additional property model is not allowed\\n","status":422,"title":"Input validation failed","invalid_fields":[' +
        '{"type":"required","field":"","description":"version is required"},{"type":"additional_property_not_allowed","field":"","description":"Additional property model is not allowed"}]}\n');
    same(await server.call("POST", "/v1/predictions", { body: { version: noop } }), 422,
        '{"detail":"- input is required\\n","status":422,"title":"Input validation failed","invalid_fields":[{"type":"required","field":"","description":"input is required"}]}\n');
    same(await server.call("POST", "/v1/models/test/noop/predictions", { body: { version: noop, input: {} } }), 422,
        '{"detail":"- Additional property version is not allowed\\n","status":422,"title":"Input validation failed","invalid_fields":[' +
        '{"type":"additional_property_not_allowed","field":"","description":"Additional property version is not allowed"}]}\n');
    const filter = await server.call("POST", "/v1/predictions", { body: { version: noop, input: {}, webhook_events_filter: ["bad"] } });
    assert.equal(filter.json.detail, '- webhook_events_filter.0: webhook_events_filter.0 must be one of the following: "start", "output", "logs", "completed"\n');
});

test("a wrong input", async () => {
    same(await server.call("POST", "/v1/models/test/copy_file/predictions", { body: { input: {} } }), 422,
        '{"detail":"- input: image is required\\n","status":422,"title":"Input validation failed","invalid_fields":[{"type":"required","field":"input","description":"image is required"}]}\n');
    const cases = [
        ["copy_file", { image: "" }, "- input.image: Does not match format 'uri'\n"],
        ["copy_file", { image: "/etc/passwd" }, "- input.image: Does not match format 'uri'\n"],
        ["copy_file", { image: ["a"] }, "- input.image: Invalid type. Expected: string, given: array\n"],
        ["sleep", { seconds: null }, "- input.seconds: Invalid type. Expected: number, given: null\n"],
        ["sleep", { seconds: 601 }, "- input.seconds: Must be less than or equal to 600\n"],
        ["sleep", { seconds: -1 }, "- input.seconds: Must be greater than or equal to 0\n"],
        ["sleep", { seconds: "1" }, "- input.seconds: Invalid type. Expected: number, given: string\n"],
        ["text_list", { text: "a", pause_ms: 1.5 }, "- input.pause_ms: Invalid type. Expected: integer, given: number\n"],
    ];
    for (const [model, input, detail] of cases) {
        const answer = await server.call("POST", `/v1/models/test/${model}/predictions`, { body: { input } });
        assert.equal(answer.status, 422);
        assert.equal(answer.json.detail, detail);
        assert.deepEqual(Object.keys(answer.json), ["detail", "status", "title", "invalid_fields"]);
    }
});

test("a wrong webhook", async () => {
    for (const webhook of ["", "nowhere", "ftp://example.com/x", "https://"]) {
        const answer = await server.call("POST", "/v1/predictions", { body: { version: noop, webhook, input: { text: 5 } } });
        assert.equal(answer.status, 422, webhook);
        assert.deepEqual(Object.keys(answer.json), ["detail", "status", "title", "invalid_fields"]);
        assert.equal(answer.json.invalid_fields.length, 1);
        assert.equal(answer.json.invalid_fields[0].field, "webhook");
        assert.equal(answer.json.detail, `- webhook: ${answer.json.invalid_fields[0].description}\n`);
    }
});

test("a webhook for the end alone, in its old form", async () => {
    const { json } = await server.call("POST", "/v1/predictions",
        { body: { version: noop, webhook_completed: "https://example.invalid/x", input: {} } });
    assert.equal(json.webhook, "https://example.invalid/x");
    assert.deepEqual(json.webhook_events_filter, ["completed"]);
    const none = await server.call("POST", "/v1/predictions", { body: { version: noop, webhook_completed: null, input: {} } });
    assert.equal(none.status, 201);
    assert.ok(!("webhook" in none.json));
});

test("the official client shows the answer", async () => {
    await assert.rejects(replicate.run("test/copy_file", { input: {} }), /422 .*image is required/);
});

test("methods that are not allowed", async () => {
    const answer = await server.call("PUT", "/v1/predictions");
    assert.equal(answer.status, 405);
    assert.ok(answer.headers.get("allow").includes("POST"));
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.equal(typeof answer.json.detail, "string");
});

test("bodies meant to hurt are refused, and the server goes on", async () => {
    const json = { "content-type": "application/json" };
    const bodies = [
        "", "{", "null", "[]", '"x"', "1", "{}}", "[".repeat(100000), '{"input":'.repeat(5000), '{"a":1,"a":2}',
        '{"version":1,"input":{}}', `{"version":"${noop}","input":[]}`, `{"version":"${noop}","input":{"text":1e999}}`,
        `{"version":"${noop}","input":{"text":${"9".repeat(400)}}}`, Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
        `{"version":"${noop}","input":{"text":"\\ud800"}}`, `{"version":"${"x".repeat(1 << 20)}","input":{}}`,
    ];
    for (const body of bodies) {
        const answer = await server.call("POST", "/v1/predictions", { body, headers: json });
        assert.ok(answer.status === 400 || answer.status === 422, `${answer.status} for ${String(body).slice(0, 40)}`);
        assert.equal(typeof answer.json.detail, "string");
    }
    const wide = Object.fromEntries(Array.from({ length: 20000 }, (_, i) => [`k${i}`, i]));
    assert.equal((await server.call("POST", "/v1/predictions", { body: { version: noop, input: wide } })).status, 201);
    const many = await server.call("POST", "/v1/predictions", { body: { ...wide, version: noop, input: {} } });
    assert.equal(many.status, 422);
    assert.equal(many.json.invalid_fields.length, 100);
    assert.equal((await server.call("GET", "/healthz", { token: null })).status, 200);
});

test("a body over the limit is 413", async () => {
    const answer = await new Promise((done, fail) => {
        const { hostname, port } = new URL(server.url);
        const socket = connect(Number(port), hostname, () => socket.write(
            `POST /v1/predictions HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\ncontent-length: ${65 << 20}\r\nexpect: 100-continue\r\n\r\n`));
        let text = "";
        socket.on("data", (chunk) => { text += chunk; if (text.includes('"status":413')) { socket.destroy(); done(text); } });
        socket.on("error", fail);
        setTimeout(() => { socket.destroy(); done(text); }, 5000).unref();
    });
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /application\/problem\+json/);
});

test("a client that leaves does not hurt, and its predictions go on", async () => {
    for (let i = 0; i < 5; i++) {
        const abort = new AbortController();
        const request = fetch(`${server.v1}/models/test/sleep/predictions`, { method: "POST", signal: abort.signal,
            headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", prefer: "wait" }, body: '{"input":{"seconds":0.2}}' });
        setTimeout(() => abort.abort(), 50);
        await assert.rejects(request);
    }
    assert.equal(await replicate.run("test/noop", { input: { text: "here" } }), "here");
    const left = (await replicate.predictions.list()).results.filter((one) => one.model === "test/sleep");
    assert.equal(left.length, 5);
    for (const { id } of left) assert.deepEqual([(await until(replicate, id, ended)).status], ["succeeded"]);
});
