// What clients in other languages send and need, as their sources say (docs/api-compatibility.md): their requests by hand, their
// rules for answers as checks. The JavaScript and Python clients are run themselves.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, TOKEN, ended, sleep, until, versionOf } from "./server.mjs";

let server, strict;
before(async () => {
    server = await Server.start();
    strict = await Server.start({ args: ["--strict-names"] });
});
after(async () => {
    await server.stop();
    await strict.stop();
});

const noop = versionOf("noop");

// Go decodes into typed structs: a value of another type fails the whole call.
function goDecodes(prediction) {
    for (const key of ["id", "model", "version", "status", "created_at", "logs"]) assert.equal(typeof prediction[key], "string", key);
    for (const [name, url] of Object.entries(prediction.urls)) assert.equal(typeof url, "string", name);
    assert.ok(prediction.error === null || (typeof prediction.error === "string" && prediction.error !== ""));
    for (const [name, value] of Object.entries(prediction.metrics ?? {})) assert.equal(typeof value, "number", name);
}

test("Go: create, then a look each second, error null until it fails", async () => {
    const made = await server.call("POST", "/v1/predictions", { body: { version: noop, input: { text: "go" }, stream: true } });
    assert.equal(made.status, 201);
    goDecodes(made.json);
    assert.equal(made.json.error, null);
    let got = made.json;
    for (let i = 0; i < 20 && !ended(got); i++) {
        await sleep(1000);
        got = (await server.call("GET", `/v1/predictions/${made.json.id}`)).json;
        goDecodes(got);
    }
    assert.deepEqual([got.status, got.output, got.error], ["succeeded", "go", null]);
    const failed = await server.call("POST", "/v1/predictions", { body: { version: versionOf("crash"), input: {} }, headers: { prefer: "wait" } });
    goDecodes(failed.json);
    assert.equal(failed.json.status, "failed");
    assert.ok(failed.json.error);
});

test("Go: a model's run_count is an integer, a file's metadata are strings", async () => {
    const { json: model } = await server.call("GET", "/v1/models/test/noop");
    assert.ok(Number.isInteger(model.run_count));
    const form = new FormData();
    form.append("content", new Blob(["go"], { type: "text/plain" }), "a.txt");
    form.append("metadata", JSON.stringify({ kind: "go" }));
    const { json: file } = await server.call("POST", "/v1/files", { body: form });
    assert.deepEqual(file.metadata, { kind: "go" });
    assert.equal(typeof file.name, "string");
    assert.equal(typeof file.etag, "string");
});

test("Go: a reader that lost its connection resumes after the last event it saw", async () => {
    const { json } = await server.call("POST", "/v1/predictions", { body: { version: versionOf("text_list"), input: { text: "a b c d" } } });
    const read = async (headers) => (await fetch(json.urls.stream, { headers: { accept: "text/event-stream", ...headers } })).text();
    const whole = await read({});
    assert.ok(!whole.includes("\r"), "LF only: its decoder takes no CRLF");
    assert.doesNotMatch(whole, /^event: logs$/m, "its text reader breaks on them");
    const ids = [...whole.matchAll(/^id: (.+)$/gm)].map((found) => found[1]);
    const rest = await read({ "last-event-id": ids[1] });
    assert.deepEqual([...rest.matchAll(/^event: output\nid: .+\ndata: (.*)$/gm)].map((found) => found[1]), ["c", "d"]);
});

test("the command line tool: a token check by hardware, the fallback to POST /predictions, file names from links", async () => {
    assert.equal((await strict.call("GET", "/v1/hardware", { token: "r8_unknown" })).status, 401);
    assert.equal((await strict.call("GET", "/v1/hardware")).status, 200);
    const { json: model } = await strict.call("GET", "/v1/models/test/copy_file");
    const input = { image: "data:text/plain;base64,aGVsbG8=" };
    assert.equal((await strict.call("POST", "/v1/models/test/copy_file/predictions", { body: { input } })).status, 404);
    const made = await strict.call("POST", "/v1/predictions", { body: { version: model.latest_version.id, input } });
    assert.equal(made.status, 201);
    const done = await until(strict.client(), made.json.id, ended);
    const [link] = [done.output].flat();
    assert.match(new URL(link).pathname.split("/").at(-1), /^out-0\.[a-z]+$/);
    assert.equal(await (await fetch(link)).text(), "hello");
});

test("Swift: the next page is found by its cursor, errors have a detail", async () => {
    for (let i = 0; i < 101; i++) await server.call("POST", "/v1/predictions", { body: { version: noop, input: {} } });
    const { json } = await server.call("GET", "/v1/predictions");
    const cursor = new URL(json.next).searchParams.get("cursor");
    assert.ok(cursor);
    const second = await server.call("GET", `/v1/predictions?cursor=${encodeURIComponent(cursor)}`);
    assert.ok(second.json.results.length >= 1);
    const wrong = await server.call("POST", "/v1/predictions", { body: {} });
    assert.equal(typeof wrong.json.detail, "string");
});

test("Elixir: the scheme Token, and only 200 and 201 for success", async () => {
    const headers = { authorization: `Token ${TOKEN}` };
    const made = await server.call("POST", "/v1/predictions", { token: null, headers, body: { version: noop, input: { text: "ex" } } });
    assert.equal(made.status, 201);
    for (const path of [`/v1/predictions/${made.json.id}`, "/v1/predictions", "/v1/models/test/noop"])
        assert.equal((await server.call("GET", path, { token: null, headers })).status, 200);
    assert.equal((await server.call("POST", `/v1/predictions/${made.json.id}/cancel`, { token: null, headers })).status, 200);
});
