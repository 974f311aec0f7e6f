// Streams of predictions: as the official client reads them, and byte by byte.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PIXEL, Server, TOKEN, ended, root, sleep, until } from "./server.mjs";

let server, replicate;
before(async () => { server = await Server.start(); replicate = server.client(); });
after(async () => { await server.stop(); });

const textList = (text, pause_ms = 1) => replicate.predictions.create({ model: "test/text_list", input: { text, pause_ms } });

// Opens a stream; what has come is in `text`, `done` is fulfilled when it ends.
async function open(url, headers = {}) {
    const stream = { text: "" };
    stream.call = request(url, { headers: { accept: "text/event-stream", ...headers } });
    const response = await new Promise((found, fail) => { stream.call.on("response", found).on("error", fail).end(); });
    stream.call.on("error", () => {});
    stream.status = response.statusCode;
    stream.headers = response.headers;
    response.setEncoding("utf8");
    response.on("data", (chunk) => { stream.text += chunk; });
    stream.done = new Promise((done) => response.on("close", done));
    stream.until = async (test, ms = 10000) => {
        for (const end = Date.now() + ms; !test(stream.text); await sleep(5))
            if (Date.now() > end) throw new Error(`the stream has only: ${JSON.stringify(stream.text)}`);
    };
    return stream;
}

async function whole(url, headers) {
    const stream = await open(url, headers);
    await stream.done;
    return stream;
}

// [{ event, id, data }]; comments are left out.
function parse(text) {
    return text.split("\n\n").filter((block) => block && !block.startsWith(":")).map((block) => {
        const event = { data: [] };
        for (const line of block.split("\n")) {
            const [, field, value] = line.match(/^(event|id|data): (.*)$/s);
            if (field === "data") event.data.push(value);
            else event[field] = value;
        }
        return { ...event, data: event.data.join("\n") };
    });
}

const brief = (text) => parse(text).map(({ event, data }) => `${event} ${data}`);

test("replicate.stream() gives each piece as it comes, and the end", async () => {
    const events = [];
    for await (const { event, data, id } of replicate.stream("test/text_list", { input: { text: "once upon a time" } })) {
        assert.match(id, /^\d+:\d+$/);
        events.push(`${event} ${data}`);
    }
    assert.deepEqual(events, ["output once", "output upon", "output a", "output time", "done {}"]);
});

test("the answer is an event stream, byte by byte", async () => {
    const prediction = await textList("one two");
    assert.match(prediction.urls.stream, /\/v1\/streams\/[0-9a-z]{52}$/);
    const { status, headers, text } = await whole(prediction.urls.stream);
    assert.equal(status, 200);
    assert.match(headers["content-type"], /^text\/event-stream(;|$)/);
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(headers["access-control-allow-origin"], "*");
    assert.equal(headers["x-accel-buffering"], "no");
    assert.equal(headers["content-encoding"], undefined);
    const s = Math.floor(Date.parse(prediction.created_at) / 1000);
    assert.equal(text, `: hi\n\nevent: output\nid: ${s}:1\ndata: one\n\nevent: output\nid: ${s}:2\ndata: two\n\nevent: done\nid: ${s}:2\ndata: {}\n\n`);
});

test("events come when they happen, not at the end", async () => {
    const { urls } = await textList("one two three", 400);
    const stream = await open(urls.stream);
    await stream.until((text) => text.startsWith(": hi\n\n"));
    await stream.until((text) => text.includes("data: one\n"));
    assert.ok(!stream.text.includes("data: three"));
    assert.ok(!stream.text.includes("event: done"));
    await stream.done;
    assert.deepEqual(brief(stream.text), ["output one", "output two", "output three", "done {}"]);
});

test("late readers get everything, many at once too; any Authorization header is fine", async () => {
    const { id, urls } = await textList("a b c");
    await until(replicate, id, ended);
    for (const headers of [{}, { authorization: `Bearer ${TOKEN}` }, { authorization: "Bearer wrong" }]) {
        const { text } = await whole(urls.stream, headers);
        assert.deepEqual(brief(text), ["output a", "output b", "output c", "done {}"]);
    }
    const all = await Promise.all(Array.from({ length: 50 }, () => whole(urls.stream)));
    for (const { text } of all) assert.equal(text, all[0].text);
});

test("Last-Event-ID goes on without loss and without doubles, while it runs and after", async () => {
    const words = Array.from({ length: 12 }, (_, i) => `w${i}`);
    const { id, urls } = await textList(words.join(" "), 30);
    const first = await open(urls.stream);
    await first.until((text) => text.includes("data: w3\n"));
    first.call.destroy();
    const seen = parse(first.text.slice(0, first.text.lastIndexOf("\n\n") + 2)).filter(({ event }) => event === "output");
    const rest = parse((await whole(urls.stream, { "last-event-id": seen.at(-1).id })).text);
    assert.deepEqual([...seen, ...rest].map(({ data }) => data), [...words, "{}"]);
    await until(replicate, id, ended);
    const events = parse((await whole(urls.stream)).text);
    for (let i = 0; i < words.length; i++) {
        const { text } = await whole(`${urls.stream}?last_event_id=${encodeURIComponent(events[i].id)}`);
        assert.deepEqual(parse(text), events.slice(i + 1));
    }
    for (const foreign of ["", "x", "1:-4", "99999999999999999999:1"])
        assert.deepEqual(parse((await whole(urls.stream, { "last-event-id": foreign })).text), events);
    // From beyond the end only the end is left.
    assert.deepEqual(brief((await whole(urls.stream, { "last-event-id": "1:1000000" })).text), ["done {}"]);
});

test("lines and leading spaces survive", async () => {
    const { urls } = await replicate.predictions.create({ model: "test/text_list", input: { text: "a\nb\n\nc \u00a0d", pause_ms: 0 } });
    assert.deepEqual(brief((await whole(urls.stream)).text), ["output a\nb\n\nc", "output \u00a0d", "done {}"]);
    const read = [];
    for await (const { data } of replicate.stream("test/text_list", { input: { text: "a\nb é", pause_ms: 0 } })) read.push(data);
    assert.deepEqual(read, ["a\nb", "é", "{}"]);
    for (const text of [" world", "  two", " ", "a\n b\n"]) {
        const made = await replicate.predictions.create({ model: "test/noop", input: { text } });
        const { text: bytes } = await whole(made.urls.stream);
        const lines = text.split("\n").map((line) => `data: ${line}\n`).join("");
        assert.ok(bytes.includes(`event: output\nid: ${bytes.match(/^id: (.+)$/m)[1]}\n${lines}\n`), JSON.stringify(bytes));
        const pieces = [];
        for await (const { event, data } of replicate.stream("test/noop", { input: { text } })) if (event === "output") pieces.push(data);
        assert.deepEqual(pieces, [text]);
    }
});

test("logs only when asked for, and they go on where they were left", async () => {
    const { id, urls } = await textList("aa bbb");
    await until(replicate, id, ended);
    assert.ok(!(await whole(urls.stream)).text.includes("event: logs"));
    const joined = (events) => events.filter(({ event }) => event === "logs").map(({ data }) => data).join("");
    const events = parse((await whole(`${urls.stream}?logs=1`)).text);
    assert.match(joined(events), /a word of 2 bytes\na word of 3 bytes\n/);
    assert.match(events[0].id, /^\d+:\d+\.\d+$/);
    assert.deepEqual(events.filter(({ event }) => event !== "logs").map(({ data }) => data), ["aa", "bbb", "{}"]);
    const logs = events.find(({ event }) => event === "logs");
    const rest = parse((await whole(`${urls.stream}?logs=true`, { "last-event-id": logs.id })).text);
    assert.equal(joined(rest), joined(events.slice(events.indexOf(logs) + 1)));
});

test("a failure is an error event, then done; the client throws its JSON text", async () => {
    await assert.rejects(async () => { for await (const _ of replicate.stream("test/exit", { input: {} })); }, ({ message }) => typeof JSON.parse(message).detail === "string");
    const prediction = await replicate.predictions.create({ model: "test/exit", input: {} });
    await until(replicate, prediction.id, ended);
    const { error } = await replicate.predictions.get(prediction.id);
    assert.ok(error);
    const events = parse((await whole(prediction.urls.stream)).text);
    assert.deepEqual(events.slice(-2).map(({ event }) => event), ["error", "done"]);
    assert.deepEqual(JSON.parse(events.at(-2).data), { detail: error });
    assert.equal(events.at(-1).data, '{"reason":"error"}');
});

test("a cancel ends the stream with its reason", async () => {
    const { id, urls } = await textList("one two three", 5000);
    const stream = await open(urls.stream);
    await stream.until((text) => text.includes("data: one\n"));
    await replicate.predictions.cancel(id);
    await stream.done;
    assert.deepEqual(brief(stream.text).at(-1), 'done {"reason":"canceled"}');
    assert.equal(stream.text.match(/event: done/g).length, 1);
    const again = brief((await whole(urls.stream)).text);
    assert.equal(again.at(-1), 'done {"reason":"canceled"}');
});

test("wrong links are 404", async () => {
    const { urls } = await textList("x");
    const token = urls.stream.slice(urls.stream.lastIndexOf("/") + 1);
    const wrong = [token.slice(0, -1) + (token.endsWith("0") ? "1" : "0"), token.slice(1), `${token}a`, "x", `abcd-${token}`, token.toUpperCase()];
    for (const one of wrong) {
        for (const place of ["streams", "files"]) {
            const answer = await server.call("GET", `/v1/${place}/${one}`);
            assert.equal(answer.status, 404, `${place}/${one}`);
            assert.ok(answer.json.detail);
        }
    }
    assert.equal((await server.call("GET", `/v1/streams/abcd-${token}`, { token: null })).status, 404);
    // As the official client tells it.
    const astray = server.client({ fetch: (url, init) => fetch(String(url).includes("/streams/") ? String(url).replace(/.$/, (last) => last === "0" ? "1" : "0") : url, init) });
    await assert.rejects(async () => { for await (const _ of astray.stream("test/text_list", { input: { text: "x" } })); },
        ({ message }) => /^Request to \S+\/v1\/streams\/\S+ failed with status 404: \{"detail":".+\}\n?$/.test(message));
    // A file's own URL still wants a token.
    assert.equal((await server.call("GET", "/v1/files/NzQ4", { token: null })).status, 401);
});

test("a model whose output is a file streams links the client makes files of", async () => {
    const input = { image: `data:image/png;base64,${PIXEL.toString("base64")}` };
    const prediction = await replicate.predictions.create({ model: "test/copy_file", input });
    const url = prediction.urls.stream;
    assert.match(new URL(url).pathname, /^\/v1\/files\/[a-z]{4}-[0-9a-z]{52}$/);
    const events = parse((await whole(url)).text);
    for (const authorization of [`Bearer ${TOKEN}`, "Bearer wrong"]) assert.deepEqual(parse((await whole(url, { authorization })).text), events);
    assert.deepEqual(events.map(({ event }) => event), ["output", "done"]);
    assert.equal(events[0].data, input.image);
    const files = [];
    for await (const { event, data } of replicate.stream("test/copy_file", { input })) if (event === "output") files.push(data);
    assert.equal(files.length, 1);
    assert.deepEqual(Buffer.from(await (await files[0].blob()).arrayBuffer()), PIXEL);
    // Under the gateway's prefix, too: the stream's own path has none.
    const gateway = server.client({ baseUrl: `${server.url}/replicate/v1` });
    for await (const { event, data } of gateway.stream("test/copy_file", { input })) if (event === "output") files.push(data);
    assert.equal(typeof files[1].blob, "function");
    const text = await gateway.predictions.create({ model: "test/noop", input: { text: "x" } });
    assert.ok(text.urls.stream.startsWith(`${server.url}/replicate/v1/streams/`));
    assert.deepEqual(brief((await whole(text.urls.stream)).text), ["output x", "done {}"]);
});

test("each file of a list is an event of its own", async () => {
    const { urls } = await replicate.predictions.create({ model: "test/file_list", input: { count: 3 } });
    assert.match(new URL(urls.stream).pathname, /^\/v1\/files\//);
    const events = parse((await whole(urls.stream)).text);
    assert.deepEqual(events.map(({ event }) => event), ["output", "output", "output", "done"]);
    for (const { data } of events.slice(0, 3)) assert.match(data, /^(data:image\/png;base64,\S+|https?:\/\/\S+)$/);
});

test("files are links where the operator wants links", async () => {
    const links = await Server.start({ args: ["--sync-output", "url"] });
    const input = { image: `data:image/png;base64,${PIXEL.toString("base64")}` };
    const { urls } = await links.client().predictions.create({ model: "test/copy_file", input });
    const [{ data }] = parse((await whole(urls.stream)).text);
    assert.ok(data.startsWith(`${links.url}/outputs/`), data);
    assert.deepEqual(Buffer.from(await (await fetch(data)).arrayBuffer()), PIXEL);
    await links.stop();
});

test("a model whose manifest says so does not stream", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mimeo-manifests-"));
    writeFileSync(join(folder, "noop.yaml"), readFileSync(join(root, "tests/models/noop.yaml"), "utf8") + "streams: false\n");
    const own = await Server.start({ manifests: folder });
    const prediction = await own.client().predictions.create({ model: "test/noop", input: { text: "x" } });
    assert.ok(!("stream" in prediction.urls));
    await assert.rejects(async () => { for await (const _ of own.client().stream("test/noop", { input: { text: "x" } })); }, /does not support streaming/);
    await own.stop();
    rmSync(folder, { recursive: true });
});

test("when a prediction's data is gone, so is its stream", async () => {
    const own = await Server.start({ args: ["--retention", "1"] });
    const { id, urls } = await own.client().predictions.create({ model: "test/noop", input: { text: "x" } });
    await until(own.client(), id, ({ data_removed }) => data_removed);
    const { status, text } = await whole(urls.stream);
    assert.equal(status, 404);
    assert.ok(JSON.parse(text).detail);
    await own.stop();
});

test("a server that ends lets streams come to their end within the drain time, and cuts the others short for all to see", async () => {
    const own = await Server.start({ args: ["--drain-timeout", "6"] });
    const short = await own.client().predictions.create({ model: "test/text_list", input: { text: "a b c", pause_ms: 700 } });
    const stream = await open(short.urls.stream);
    await stream.until((text) => text.includes("data: a\n"));
    const ending = own.stop();
    await stream.done;
    assert.match(stream.text, /event: done\nid: .+\ndata: \{\}\n\n$/);
    assert.equal(await ending, 0);

    const hasty = await Server.start();
    const long = await hasty.client().predictions.create({ model: "test/text_list", input: { text: "a b", pause_ms: 60000 } });
    const cut = await fetch(long.urls.stream, { headers: { accept: "text/event-stream" } });
    setTimeout(() => hasty.stop(), 300);
    await assert.rejects(cut.text(), "not a whole answer");
});

test("readers that go away cost nothing, and the server ends while others read", async () => {
    const own = await Server.start();
    const { urls } = await own.client().predictions.create({ model: "test/text_list", input: { text: "a b c d", pause_ms: 60000 } });
    const streams = await Promise.all(Array.from({ length: 40 }, () => open(urls.stream)));
    await Promise.all(streams.map((stream) => stream.until((text) => text.includes("data: a\n"))));
    for (const stream of streams.slice(0, 20)) stream.call.destroy();
    assert.equal((await own.call("GET", "/healthz")).status, 200);
    assert.equal(await own.stop(), 0);
    await Promise.all(streams.slice(20).map(({ done }) => done));
    for (const { text } of streams.slice(20)) assert.ok(!text.includes("event: done"));
});

test("a silent stream is kept alive", async () => {
    const { id, urls } = await textList("a b", 60000);
    const stream = await open(urls.stream);
    await stream.until((text) => text.endsWith("\n\n:\n\n"), 20000);
    stream.call.destroy();
    await replicate.predictions.cancel(id);
});
