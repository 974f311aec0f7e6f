// A disk that is full: what cannot be stored is refused with a 503, what was accepted is not lost, reading goes on, and when there
// is room again everything works. The full disk is a limit on the size of files, set from outside on the running server.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "./server.mjs";

let server;
before(async () => { server = await new Server(undefined, { args: ["--sync-output", "url"] }).start(); });
after(() => server.remove());

// The soft limit only: it can be raised again. Runners that run already keep theirs.
function limit(bytes) {
    execFileSync("prlimit", [`--fsize=${bytes}:unlimited`, "--pid", String(server.process.pid)]);
}

function assertRefused(answer) {
    assert.equal(answer.status, 503, answer.text);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.equal(answer.body.status, 503);
    assert.ok(answer.body.detail.length > 20, answer.text);
    assert.doesNotMatch(answer.text, /sqlite|\/tmp\//i, "nothing internal is told");
}

async function assertWorks() {
    const made = await server.predict("noop", { text: "room" }, 20);
    assert.deepEqual([made.status, made.body.status, made.body.output], [201, "succeeded", "room"], made.text);
    const file = await server.upload("x".repeat(100000));
    assert.equal(file.status, 201, file.text);
    const output = await server.predict("copy_file", { image: file.body.urls.get }, 20);
    assert.equal(output.body.status, "succeeded", output.text);
    const bytes = await (await fetch(output.body.output)).text();
    assert.equal(bytes.length, 100000);
}

test("no room for records: creates are refused, what was accepted ends when there is room", async () => {
    await server.predict("sleep", { seconds: 0 }, 20);
    const accepted = [];
    for (let i = 0; i < 10; i++) accepted.push((await server.predict("sleep", { seconds: 0.2 })).body.id);
    limit(4096);
    let refused = 0;
    for (let i = 0; i < 10; i++) {
        const answer = await server.predict("noop", { text: "y".repeat(5000) });
        if (answer.status === 201) accepted.push(answer.body.id);
        else { assertRefused(answer); refused++; }
    }
    assert.ok(refused > 0);
    assertRefused(await server.upload("x".repeat(10000)));
    assert.equal((await server.call("GET", "/v1/predictions")).status, 200);
    assert.equal((await server.call("GET", `/v1/predictions/${accepted[0]}`)).status, 200);
    await sleep(3000); // runs end meanwhile, and their ends cannot be stored
    assert.equal(server.process.exitCode, null, server.log);
    limit("unlimited");
    for (const id of accepted) assert.equal((await server.until(id, undefined, 30000)).status, "succeeded");
    await assertWorks();
});

test("no room, and a kill: nothing that was accepted is lost", async () => {
    const accepted = [];
    for (let i = 0; i < 5; i++) accepted.push((await server.predict("sleep", { seconds: 0.3 })).body.id);
    limit(4096);
    await sleep(1000);
    await server.kill();
    await server.start();
    for (const id of accepted) assert.equal((await server.until(id, undefined, 30000)).status, "succeeded");
    await assertWorks();
});

// The log of the store stays below 12 MB.
test("no room for inputs and outputs: the prediction fails with a sentence, or is run when there is room", async () => {
    const file = (await server.upload("x".repeat(15_000_000))).body;
    await assertWorks();
    limit(12_000_000);
    const small = await server.predict("noop", { text: "small" }, 20);
    assert.equal(small.body.status, "succeeded", small.text);
    const large = await server.predict("copy_file", { image: file.urls.get }, 20);
    assert.equal(large.body.status, "failed", large.text);
    assert.match(large.body.error, /^The input 'image' could not be read: .*\.$/);
    assert.doesNotMatch(large.body.error, /\/tmp\//);
    assertRefused(await server.upload("x".repeat(15_000_000)));
    limit("unlimited");
    assert.equal((await server.predict("copy_file", { image: file.urls.get }, 20)).body.status, "succeeded");
    await assertWorks();
});

test("a start without room says so, and the next one works", async () => {
    const kept = (await server.predict("noop", { text: "kept" }, 20)).body.id;
    await server.stop();
    await server.start({ wrap: ["prlimit", "--fsize=4096:unlimited"] }).then(async () => {
        const answer = await server.predict("noop", { text: "y".repeat(5000) });
        assertRefused(answer);
        assert.equal((await server.call("GET", `/v1/predictions/${kept}`)).body.output, "kept");
        limit("unlimited");
    }, async (error) => {
        assert.match(error.message, /ended \(1\)[^]*mimeo: .{20,}/);
        assert.doesNotMatch(error.message, /SIG/, "ends by itself, not by a signal");
        await server.start();
    });
    assert.equal((await server.call("GET", `/v1/predictions/${kept}`)).body.output, "kept");
    await assertWorks();
});
