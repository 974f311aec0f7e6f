// What holds for every route: prefixes, methods, headers, whose things are whose.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { Server, TOKEN, ended, until, versionOf } from "./server.mjs";

let server, replicate, id, account;
before(async () => {
    server = await Server.start({ args: ["--gzip-min", "500"] });
    replicate = server.client();
    const prediction = await replicate.predictions.create({ version: versionOf("noop"), input: {} });
    id = (await until(replicate, prediction.id, ended)).id;
    account = (await replicate.accounts.current()).username;
});
after(async () => { await server.stop(); });

// Every operation that reads, and one wrong call of each that writes: [method, path, body, status].
const operations = () => [
    ["GET", "/v1/account", undefined, 200],
    ["GET", "/v1/collections", undefined, 200],
    ["GET", "/v1/collections/nothing", undefined, 404],
    ["GET", "/v1/deployments", undefined, 200],
    ["POST", "/v1/deployments", {}, 422],
    ["GET", "/v1/deployments/nobody/nothing", undefined, 404],
    ["PATCH", "/v1/deployments/nobody/nothing", { min_instances: 0 }, 404],
    ["DELETE", "/v1/deployments/nobody/nothing", undefined, 404],
    ["POST", "/v1/deployments/nobody/nothing/predictions", { input: {} }, 404],
    ["GET", "/v1/files", undefined, 200],
    ["POST", "/v1/files", undefined, 400],
    ["GET", "/v1/files/nothing", undefined, 404],
    ["DELETE", "/v1/files/nothing", undefined, 404],
    ["GET", "/v1/files/nothing/download", undefined, 404],
    ["GET", "/v1/hardware", undefined, 200],
    ["GET", "/v1/models", undefined, 200],
    ["QUERY", "/v1/models", "noop", 200],
    ["POST", "/v1/models", {}, 422],
    ["GET", "/v1/models/test/noop", undefined, 200],
    ["PATCH", "/v1/models/nobody/nothing", { description: "x" }, 404],
    ["DELETE", "/v1/models/nobody/nothing", undefined, 404],
    ["GET", "/v1/models/test/noop/examples", undefined, 200],
    ["GET", "/v1/models/test/noop/readme", undefined, 200],
    ["GET", "/v1/models/test/noop/versions", undefined, 200],
    ["GET", `/v1/models/test/noop/versions/${versionOf("noop")}`, undefined, 200],
    ["DELETE", `/v1/models/nobody/nothing/versions/${versionOf("noop")}`, undefined, 404],
    ["POST", "/v1/models/nobody/nothing/predictions", { input: {} }, 404],
    ["POST", `/v1/models/nobody/nothing/versions/${versionOf("noop")}/trainings`, { destination: "a/b", input: {} }, 404],
    ["GET", "/v1/predictions", undefined, 200],
    ["POST", "/v1/predictions", {}, 422],
    ["GET", `/v1/predictions/${id}`, undefined, 200],
    ["POST", `/v1/predictions/${id}/cancel`, undefined, 200],
    ["GET", "/v1/search?query=noop", undefined, 200],
    ["GET", "/v1/trainings", undefined, 200],
    ["GET", `/v1/trainings/${"a".repeat(26)}`, undefined, 404],
    ["POST", `/v1/trainings/${"a".repeat(26)}/cancel`, undefined, 404],
    ["GET", "/v1/webhooks/default/secret", undefined, 200],
];

test("all 37 operations answer under /v1 and under /replicate/v1 alike", async () => {
    assert.equal(operations().length, 37);
    for (const [method, path, body, status] of operations()) {
        const plain = await server.call(method, path, { body });
        const prefixed = await server.call(method, `/replicate${path}`, { body });
        assert.equal(plain.status, status, `${method} ${path}: ${plain.text}`);
        assert.equal(prefixed.status, status, `${method} /replicate${path}: ${prefixed.text}`);
        const strip = (text) => text.replaceAll(`${server.url}/replicate`, server.url).replace(/"(created_at|run_count|expiry|score)":[^,}]*/g, "");
        if (method !== "POST") assert.equal(strip(prefixed.text).length > 0, plain.text.length > 0);
        assert.doesNotMatch(prefixed.text, new RegExp(`${server.url}/v1/(?!files/....-|streams)`), `links of ${path} keep the prefix`);
    }
});

test("every operation but signed downloads needs a token", async () => {
    for (const [method, path, body] of operations()) {
        if (path.endsWith("/download")) continue;
        assert.equal((await server.call(method, path, { body, token: null })).status, 401, `${method} ${path}`);
    }
});

test("successes are JSON in UTF-8, errors problem+json objects with a detail", async () => {
    for (const [method, path, body, status] of operations()) {
        const answer = await server.call(method, path, { body });
        const type = answer.headers.get("content-type");
        if (path.endsWith("/readme")) assert.match(type, /^text\/plain/);
        else if (status < 300) assert.match(type, /^application\/json/);
        else assert.match(type, /^application\/(problem\+)?json/);
        if (status >= 400) {
            assert.equal(typeof answer.json.detail, "string", path);
            assert.ok(answer.text.endsWith("\n"), `${path} ends its line`);
        }
        assert.equal(answer.headers.get("cache-control"), "no-store", path);
        assert.ok(answer.headers.get("x-request-id"), path);
    }
});

test("authenticated successes tell the rate limit, but for files", async () => {
    for (const [method, path, body, status] of operations()) {
        const answer = await server.call(method, path, { body });
        if (status >= 300) continue;
        const told = answer.headers.get("ratelimit-remaining");
        if (path.startsWith("/v1/files")) assert.equal(told, null, path);
        else assert.match(told ?? "", /^\d+$/, path);
    }
    const fresh = await Server.start();
    try {
        const remaining = async (method, path, body) => Number((await fresh.call(method, path, { body })).headers.get("ratelimit-remaining"));
        assert.equal(await remaining("POST", "/v1/predictions", { version: versionOf("noop"), input: {} }), 599);
        assert.equal(await remaining("GET", "/v1/account"), 2999);
        const { json } = await fresh.call("GET", "/v1/predictions");
        assert.equal(await remaining("GET", `/v1/predictions/${json.results[0].id}`), 59999);
        assert.equal((await fresh.call("GET", "/v1/account")).headers.get("ratelimit-reset"), "1");
    } finally {
        await fresh.stop();
    }
});

test("a JSON content type with an empty body is fine on every method", async () => {
    const headers = { "content-type": "application/json", "content-length": "0" };
    for (const [method, path, , status] of operations().filter(([, , body]) => body === undefined)) {
        if (path === "/v1/files" && method === "POST") continue;
        assert.equal((await server.call(method, path, { headers })).status, status, `${method} ${path}`);
    }
});

test("unknown query parameters and headers are ignored", async () => {
    const headers = { "x-stainless-lang": "python", "sec-fetch-mode": "cors", "accept-language": "*", "x-anything": "1" };
    for (const [method, path, body, status] of operations())
        assert.equal((await server.call(method, `${path}${path.includes("?") ? "&" : "?"}unknown=1&utm=x`, { body, headers })).status, status, path);
});

test("the base URL of the Python 1.x client may end in /v1, too", async () => {
    assert.equal((await server.call("GET", "/v1/v1/account")).status, 200);
    assert.equal((await server.call("GET", "/replicate/v1/v1/account")).status, 200);
});

test("HEAD and OPTIONS", async () => {
    for (const path of ["/v1/models", "/v1/hardware", "/v1/account", `/v1/predictions/${id}`]) {
        const head = await server.call("HEAD", path);
        assert.deepEqual([head.status, head.text], [200, ""], path);
    }
    for (const [path, methods] of [["/v1/models", ["GET", "HEAD", "OPTIONS", "POST", "QUERY"]], ["/v1/hardware", ["GET", "HEAD", "OPTIONS"]]]) {
        const answer = await server.call("OPTIONS", path, { token: null });
        assert.ok(answer.status === 204 || answer.status === 200);
        assert.deepEqual(answer.headers.get("allow").split(/, */).sort(), methods);
    }
});

test("a larger answer is compressed where that is asked for, and only there", async () => {
    const asked = await server.call("GET", "/v1/models/test/noop", { headers: { "accept-encoding": "gzip, deflate" } });
    assert.equal(asked.headers.get("content-encoding"), "gzip");
    assert.equal(asked.json.name, "noop");
    const not = await server.call("GET", "/v1/models/test/noop", { headers: { "accept-encoding": "identity" } });
    assert.equal(not.headers.get("content-encoding"), null);
    assert.equal(not.text, asked.text);
});

test("pages of other origins may call only when the setting says so", async () => {
    const none = await server.call("GET", "/v1/models", { headers: { origin: "https://app.example" } });
    assert.equal(none.headers.get("access-control-allow-origin"), null);
    const open = await Server.start({ args: ["--cors-origins", "https://app.example"] });
    try {
        const preflight = await open.call("OPTIONS", "/v1/predictions", { token: null, headers: { origin: "https://app.example",
            "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type" } });
        assert.equal(preflight.headers.get("access-control-allow-origin"), "https://app.example");
        assert.match(preflight.headers.get("access-control-allow-headers"), /authorization/i);
        assert.equal((await open.call("GET", "/v1/models", { headers: { origin: "https://evil.example" } })).headers.get("access-control-allow-origin"), null);
        assert.equal((await open.call("GET", "/v1/models", { headers: { origin: "https://app.example" } })).headers.get("access-control-allow-origin"), "https://app.example");
    } finally {
        await open.stop();
    }
});

test("the connection stays open after a create", async () => {
    const { port } = new URL(server.url);
    const socket = connect(Number(port), "127.0.0.1");
    const body = JSON.stringify({ version: versionOf("noop"), input: {} });
    const request = `POST /v1/predictions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    let text = "", closed = false;
    socket.on("data", (chunk) => { text += chunk; });
    socket.on("close", () => { closed = true; });
    for (let i = 1; i <= 3; i++) {
        socket.write(request);
        for (let wait = 0; wait < 200 && text.split("HTTP/1.1 201").length <= i; wait++) await new Promise((done) => setTimeout(done, 10));
    }
    assert.equal(text.split("HTTP/1.1 201").length, 4);
    assert.equal(closed, false);
    socket.destroy();
});

test("Location is urls.get, and all links start with the public base URL", async () => {
    const answer = await server.call("POST", "/replicate/v1/predictions", { body: { version: versionOf("text_list"), input: { text: "a" } } });
    assert.equal(answer.headers.get("location"), answer.json.urls.get);
    assert.deepEqual(answer.json.urls.get, `${server.url}/replicate/v1/predictions/${answer.json.id}`);
    assert.deepEqual(answer.json.urls.cancel, `${answer.json.urls.get}/cancel`);
    for (const url of Object.values(answer.json.urls)) assert.ok(url.startsWith(server.url));
    assert.ok(account);
});

test("items of the list are whole predictions", async () => {
    const { json } = await server.call("GET", "/v1/predictions");
    const done = json.results.find((one) => one.id === id);
    assert.deepEqual([done.model, done.version, done.source, done.data_removed], ["test/noop", versionOf("noop"), "api", false]);
    assert.ok(done.metrics.predict_time >= 0);
    assert.ok(done.urls.get && done.urls.cancel);
});

test("a canceled prediction has metrics and no output", async () => {
    for (const seconds of [30, 30]) {
        const made = await replicate.predictions.create({ version: versionOf("sleep"), input: { seconds } });
        const { json } = await server.call("POST", `/v1/predictions/${made.id}/cancel`);
        assert.deepEqual([json.status, json.output, json.error], ["canceled", null, null]);
        assert.equal(typeof json.metrics.total_time, "number");
        assert.ok(json.completed_at);
    }
});

test("a training's body may name its version, as one client does", async () => {
    const version = versionOf("trainable");
    await replicate.models.create(account, "named-twice", { visibility: "private", hardware: "cpu" });
    const answer = await server.call("POST", `/v1/models/test/trainable/versions/${version}/trainings`, {
        body: { version, destination: `${account}/named-twice`, input: { word: "x" } } });
    assert.equal(answer.status, 201, answer.text);
});

test("a search gives at most 20 models unless told otherwise", async () => {
    assert.ok((await server.call("GET", "/v1/models")).json.next, "there are more than 25");
    assert.equal((await server.call("GET", "/v1/search?query=e")).json.models.length, 20);
});

test("files of a stream and outputs may be read by any page", async () => {
    const made = await replicate.predictions.create({ version: versionOf("copy_file"), input: { image: "data:text/plain;base64,aGVsbG8=" } });
    const { output, urls } = await until(replicate, made.id, ended);
    const file = await fetch([output].flat()[0], { headers: { authorization: "Bearer anything" } });
    assert.equal(file.headers.get("access-control-allow-origin"), "*");
    assert.equal(file.headers.get("cache-control"), "public,max-age=3600");
    assert.equal(file.headers.get("accept-ranges"), "bytes");
    assert.equal(file.headers.get("content-length"), "5");
    assert.ok(file.headers.get("etag"));
    assert.equal((await fetch(urls.stream)).headers.get("access-control-allow-origin"), "*");
});
