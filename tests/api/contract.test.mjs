// What holds for every route: prefixes, methods, headers, whose things are whose.
import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { Server, TOKEN, ended, until, versionOf } from "./server.mjs";

let server, replicate, id, account;
before(async () => {
    server = await Server.start({ args: ["--gzip-min", "500"] });
    replicate = server.client();
    const prediction = await replicate.predictions.create({ version: versionOf("noop"), input: { text: "é😀 <&>" } });
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
        assert.equal(prefixed.text.replaceAll(`${server.url}/replicate/`, `${server.url}/`), plain.text, `${method} ${path}`);
        assert.equal(prefixed.headers.get("content-type"), plain.headers.get("content-type"), `${method} ${path}`);
        assert.doesNotMatch(prefixed.text, new RegExp(`${server.url}/v1/(?!files/....-|streams)`), `links of ${path} keep the prefix`);
    }
});

test("what makes, changes and deletes works under /replicate/v1, too", async () => {
    const own = await Server.start({ args: ["--deployment-quiet", "0"] });
    const client = own.client({ baseUrl: `${own.url}/replicate/v1` });
    const call = async (method, path, status, body) => {
        const answer = await own.call(method, `/replicate/v1${path}`, { body });
        assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
        assert.ok(!answer.text.includes(`${own.url}/v1/`), `${method} ${path}: ${answer.text}`);
        return answer.json;
    };
    const end = async (id, part = "predictions") => {
        for (let i = 0; i < 400; i++) {
            const found = await call("GET", `/${part}/${id}`, 200);
            if (ended(found)) return found;
            await new Promise((done) => setTimeout(done, 25));
        }
        assert.fail(`${part} ${id} does not end`);
    };
    try {
        const version = versionOf("noop");
        await call("POST", "/models", 201, { owner: "local", name: "pupil", visibility: "private", hardware: "cpu" });
        assert.equal((await call("PATCH", "/models/local/pupil", 200, { description: "new" })).description, "new");
        await call("POST", "/deployments", 200, { name: "app", model: "test/noop", version, hardware: "cpu", min_instances: 0, max_instances: 1 });
        await call("PATCH", "/deployments/local/app", 200, { max_instances: 2 });
        for (const [path, body] of [["/predictions", { version, input: {} }], ["/models/test/noop/predictions", { input: {} }], ["/deployments/local/app/predictions", { input: {} }]])
            assert.equal((await end((await call("POST", path, 201, body)).id)).status, "succeeded", path);
        const sleeping = await call("POST", "/models/test/sleep/predictions", 201, { input: { seconds: 30 } });
        assert.equal((await call("POST", `/predictions/${sleeping.id}/cancel`, 200)).status, "canceled");
        const trained = await call("POST", `/models/test/trainable/versions/${versionOf("trainable")}/trainings`, 201, { destination: "local/pupil", input: { word: "x" } });
        const { output } = await end(trained.id, "trainings");
        await call("POST", `/trainings/${trained.id}/cancel`, 200);
        assert.equal(await client.run(output.version, { input: {} }), "x");
        await call("DELETE", "/deployments/local/app", 204);
        await call("DELETE", `/models/local/pupil/versions/${output.version.split(":")[1]}`, 202);
        const file = await client.files.create(Buffer.from("x"));
        assert.ok(file.urls.get.startsWith(`${own.url}/replicate/v1/files/`));
        assert.equal(await client.files.delete(file.id), true);
        await call("POST", "/models", 201, { owner: "local", name: "empty", visibility: "private", hardware: "cpu" });
        await call("DELETE", "/models/local/empty", 204);
    } finally {
        await own.stop();
    }
});

test("every operation but signed downloads needs a token", async () => {
    for (const [method, path, body] of operations()) {
        if (path.endsWith("/download")) continue;
        assert.equal((await server.call(method, path, { body, token: null })).status, 401, `${method} ${path}`);
    }
});

// One request as it is written: fetch() has its own mind about some headers. { status, headers, bytes }
function raw(method, path, headers, body) {
    return new Promise((done, fail) => {
        const call = request(server.url + path, { method, headers: { authorization: `Bearer ${TOKEN}`, ...headers } }, (response) => {
            const chunks = [];
            response.on("data", (chunk) => chunks.push(chunk));
            response.on("end", () => done({ status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) }));
        });
        call.on("error", fail);
        call.end(body);
    });
}

test("successes are JSON in UTF-8, errors problem+json objects with a detail", async () => {
    for (const [method, path, body, status] of operations()) {
        const text = body && JSON.stringify(body);
        const { headers, bytes } = await raw(method, path, text ? { "content-type": "application/json", "content-length": Buffer.byteLength(text) } : {}, text);
        assert.equal(Number(headers["content-length"]), bytes.length, `${method} ${path}`);
        const type = headers["content-type"];
        if (path.endsWith("/readme")) assert.match(type, /^text\/plain/);
        else {
            assert.match(type, status < 300 ? /^application\/json(; *charset=utf-8)?$/i : /^application\/problem\+json$/, `${method} ${path}`);
            const json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
            if (status >= 400) {
                assert.ok(!Array.isArray(json) && typeof json.detail === "string", path);
                assert.equal(bytes.at(-1), 10, `${path} ends its line`);
            } else {
                assert.notEqual(bytes.at(-1), 10, path);
            }
        }
    }
    const { bytes } = await raw("GET", `/v1/predictions/${id}`);
    assert.ok(bytes.includes(Buffer.from("é😀")), "as it was sent, in UTF-8");
    assert.equal(JSON.parse(bytes).output, "é😀 <&>");
});

test("every answer has its request's id and is not to be kept", async () => {
    for (const [method, path, body] of operations()) {
        const answer = await server.call(method, path, { body });
        assert.equal(answer.headers.get("cache-control"), "no-store", path);
        assert.ok(answer.headers.get("x-request-id"), path);
    }
});

test("authenticated successes tell the rate limit, but for files", async () => {
    for (const [method, path, body, status] of operations()) {
        const answer = await server.call(method, path, { body });
        if (status >= 300) continue;
        for (const name of ["ratelimit-remaining", "ratelimit-reset"]) {
            const told = answer.headers.get(name);
            if (path.startsWith("/v1/files")) assert.equal(told, null, path);
            else assert.match(told ?? "", /^\d+$/, `${path} ${name}`);
        }
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
        assert.equal((await raw(method, path, headers)).status, status, `${method} ${path}`);
    }
    await server.call("POST", "/v1/models", { body: { owner: account, name: "short-lived", visibility: "private", hardware: "cpu" } });
    assert.equal((await raw("DELETE", `/v1/models/${account}/short-lived`, headers)).status, 204);
    const running = await replicate.predictions.create({ version: versionOf("sleep"), input: { seconds: 30 } });
    const canceled = await raw("POST", `/v1/predictions/${running.id}/cancel`, headers);
    assert.deepEqual([canceled.status, JSON.parse(canceled.bytes).status], [200, "canceled"]);
});

test("unknown query parameters and headers are ignored", async () => {
    const headers = { "x-stainless-lang": "python", "sec-fetch-mode": "cors", "accept-language": "*", "x-anything": "1" };
    for (const [method, path, body, status] of operations()) {
        const plain = await server.call(method, path, { body });
        const more = await server.call(method, `${path}${path.includes("?") ? "&" : "?"}unknown=1&utm=x`, { body, headers });
        assert.equal(more.status, status, path);
        if (!(plain.json?.next)) assert.equal(more.text, plain.text, path);
        else assert.deepEqual(more.json.results, plain.json.results, path);
    }
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
    const small = await server.call("GET", "/v1/account", { headers: { "accept-encoding": "gzip, deflate" } });
    assert.deepEqual([small.headers.get("content-encoding"), small.json.username], [null, account], "identity does for who takes gzip");
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
    const request = `POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
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
    assert.deepEqual(done, (await server.call("GET", `/v1/predictions/${id}`)).json);
});

test("a canceled prediction has metrics and no output", async () => {
    for (const seconds of [30, 30]) {
        const made = await replicate.predictions.create({ version: versionOf("sleep"), input: { seconds } });
        const { status, json } = await server.call("POST", `/v1/predictions/${made.id}/cancel`);
        assert.equal(status, 200);
        assert.deepEqual([json.status, json.output, json.error], ["canceled", null, null]);
        assert.equal(typeof json.metrics.total_time, "number");
        assert.ok(json.completed_at);
    }
});

test("a cancel of a finished prediction changes nothing", async () => {
    const before = await server.call("GET", `/v1/predictions/${id}`);
    const canceled = await server.call("POST", `/v1/predictions/${id}/cancel`);
    assert.deepEqual([canceled.status, canceled.json], [200, before.json]);
    assert.equal((await server.call("GET", `/v1/predictions/${id}`)).text, before.text);
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
    const most = (await server.call("GET", "/v1/search?query=e&limit=50")).json.models.length;
    assert.ok(most > 20 && most <= 50, String(most));
});

test("files of a stream and outputs may be read by any page", async () => {
    const made = await replicate.predictions.create({ version: versionOf("copy_file"), input: { image: "data:text/plain;base64,aGVsbG8=" } });
    const { output, urls } = await until(replicate, made.id, ended);
    const file = await fetch(output);
    assert.equal(file.status, 200);
    assert.match(file.headers.get("content-type"), /^text\/plain(;|$)/);
    assert.equal(file.headers.get("access-control-allow-origin"), "*");
    assert.match(file.headers.get("cache-control"), /^public,max-age=3(600|599)$/); // the link's hour, of which a second may have begun
    assert.equal(file.headers.get("accept-ranges"), "bytes");
    assert.equal(file.headers.get("content-length"), "5");
    assert.match(file.headers.get("etag"), /^"[0-9a-f]{32}"$/);
    const stream = await fetch(urls.stream);
    assert.deepEqual([stream.status, stream.headers.get("access-control-allow-origin")], [200, "*"]);
    await stream.text();
});
