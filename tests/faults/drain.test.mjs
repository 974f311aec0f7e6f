// The end of the server by SIGTERM, and what a start finds again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, TOKEN, build } from "./server.mjs";
import { execFileSync } from "node:child_process";

async function withServer(options, body) {
    const server = await new Server(undefined, options).start();
    try { await body(server); } finally { await server.remove(); }
}

test("SIGTERM: what runs ends within the drain time, and who waits is answered", () => withServer({ args: ["--drain-timeout", "10"] }, async (server) => {
    await server.predict("sleep", { seconds: 0 }, 20); // its runner is there
    const waiting = server.predict("sleep", { seconds: 1 }, 30);
    await sleep(300);
    const began = Date.now();
    const ended = server.stop();
    const answer = await waiting;
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.body.status, "succeeded", answer.text);
    assert.equal(await ended, 0, server.log);
    assert.ok(Date.now() - began < 5000, `${Date.now() - began} ms`);
    await server.start();
    assert.equal((await server.until(answer.body.id)).status, "succeeded");
}));

test("SIGTERM: what takes longer than the drain time runs again after the next start", () => withServer({ args: ["--drain-timeout", "1"] }, async (server) => {
    await server.predict("stubborn", { seconds: 0 }, 20);
    const waiting = server.predict("stubborn", { seconds: 3 }, 30);
    await sleep(300);
    const queued = [];
    for (let i = 0; i < 5; i++) queued.push((await server.predict("stubborn", { seconds: 0 })).body.id);
    const began = Date.now();
    const ended = server.stop();
    const answer = await waiting;
    assert.ok([200, 201, 202].includes(answer.status), `${answer.status} ${answer.text}`);
    assert.ok(["starting", "processing"].includes(answer.body.status), answer.text);
    assert.equal(await ended, 0, server.log);
    assert.ok(Date.now() - began < 6000, `${Date.now() - began} ms`);
    await server.start();
    for (const id of [answer.body.id, ...queued]) {
        const end = await server.until(id);
        assert.deepEqual([end.status, end.output], ["succeeded", "slept"]);
    }
}));

test("SIGTERM: no connection is taken any more, and an idle one does not keep the server", () => withServer({ args: ["--drain-timeout", "5"] }, async (server) => {
    await server.call("GET", "/v1/models"); // leaves an idle connection
    const running = await server.predict("sleep", { seconds: 1 });
    await server.until(running.body.id, (prediction) => prediction.status === "processing");
    const began = Date.now();
    const ended = server.stop();
    await sleep(100);
    const late = await fetch(server.url + "/v1/models", { headers: { authorization: `Bearer ${TOKEN}`, connection: "close" } }).then((response) => response.status, () => "refused");
    assert.ok(late === "refused" || late === 503, String(late));
    assert.equal(await ended, 0, server.log);
    assert.ok(Date.now() - began < 4500, `${Date.now() - began} ms`);
}));

test("a second SIGTERM ends the server at once, and nothing is lost", () => withServer({ args: ["--drain-timeout", "60"] }, async (server) => {
    const running = await server.predict("stubborn", { seconds: 3 });
    await server.until(running.body.id, (prediction) => prediction.status === "processing");
    server.process.kill("SIGTERM");
    await sleep(300);
    const began = Date.now();
    server.process.kill("SIGTERM");
    assert.equal(await server.ended, 143);
    assert.ok(Date.now() - began < 1000);
    await server.start();
    assert.equal((await server.until(running.body.id)).status, "succeeded");
}));

test("a start finds tokens, files, links and the order of the list again", () => withServer({ args: ["--sync-output", "url"] }, async (server) => {
    const made = execFileSync(`${build}/mimeo`, ["tokens", "create", "--name", "second", "--data", server.data], { encoding: "utf8" }).match(/r8_\w+/)[0];
    const file = (await server.upload("the bytes", "photo.jpeg")).body;
    const output = (await server.predict("copy_file", { image: file.urls.get }, 20)).body;
    assert.equal(output.status, "succeeded", JSON.stringify(output));
    assert.match(output.output, /^http.*\/out-0\.jpeg$/);
    const ids = [];
    for (let i = 0; i < 30; i++) ids.push((await server.predict("noop", { text: String(i) })).body.id);
    for (const id of ids) await server.until(id);
    const list = async () => (await server.call("GET", "/v1/predictions")).body.results.map((one) => one.id);
    const before = await list();
    assert.deepEqual(before.slice(0, 30), [...ids].reverse());
    for (const end of ["stop", "kill"]) {
        await server[end]();
        await server.start();
        assert.deepEqual(await list(), before);
        const asOther = await fetch(server.url + "/v1/predictions", { headers: { authorization: `Bearer ${made}` } });
        assert.equal(asOther.status, 200);
        const again = await server.call("GET", `/v1/files/${file.id}`);
        assert.deepEqual([again.body.checksums, again.body.size], [file.checksums, file.size]);
        // Signed before the restart; the port is another one.
        const path = new URL(output.output).pathname;
        const download = await fetch(server.url + path);
        assert.deepEqual([download.status, await download.text()], [200, "the bytes"]);
        assert.equal((await server.predict("copy_file", { image: again.body.urls.get }, 20)).body.status, "succeeded");
        before.unshift((await list())[0]);
    }
}));
