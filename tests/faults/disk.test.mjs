// A disk that is full: what cannot be stored is refused with a 503, what was accepted is not lost, reading goes on, and when there
// is room again everything works. The full disk is a limit on the size of files, set from outside on the running server.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { auditBooks } from "./audit.mjs";
import { readEnds } from "./crash_points.mjs";
import { Receiver } from "./receiver.mjs";
import { Server } from "./server.mjs";

let server, receiver;
before(async () => {
    server = await new Server(undefined, { args: ["--sync-output", "url", "--allow-private-urls", "--webhook-first-retry", "50"] }).start();
    receiver = await new Receiver().start();
    receiver.secret = (await server.call("GET", "/v1/webhooks/default/secret")).body.key;
});
after(async () => { await server.remove(); await receiver.stop(); });

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

const told = (seconds) => server.call("POST", "/v1/models/test/sleep/predictions", { input: { seconds }, webhook: receiver.url, webhook_events_filter: ["completed"] });

// Every accepted one has ended and was told so, as it is stored and under one id, and is in the books.
async function assertTold(ids) {
    for (const id of ids) {
        const { status, completed_at } = await server.until(id, undefined, 30000);
        assert.equal(status, "succeeded");
        for (const end = Date.now() + 10000; receiver.ends(id).taken.length === 0; await sleep(20)) assert.ok(Date.now() < end, `${id} is not told`);
        const { ends } = receiver.ends(id);
        assert.ok(ends.every((one) => one.status === status && one.completed_at === completed_at), `${id}: ${status} ${completed_at}, told ${JSON.stringify(ends)}`);
        assert.equal(new Set(ends.map(({ message }) => message)).size, 1);
    }
    assert.equal(receiver.badSignatures, 0);
    assert.equal(auditBooks(server.data, await readEnds(server), assert.fail), 0);
}

test("no room for ends, what they cost, and their webhooks: nothing is told that is not stored, and all of it is when there is room", async () => {
    for (const killed of [false, true]) {
        await server.predict("sleep", { seconds: 0 }, 20);
        const ids = [];
        for (let i = 0; i < 8; i++) ids.push((await told(0.1)).body.id);
        limit(4096);
        await sleep(1500); // they end
        const early = ids.filter((id) => receiver.ends(id).ends.length > 0);
        if (killed) { await server.kill(); await server.start(); }
        for (const id of early) assert.equal((await server.call("GET", `/v1/predictions/${id}`)).body.status, "succeeded", "it was told");
        assert.ok(early.length < ids.length, "there was no room");
        limit("unlimited");
        await assertTold(ids);
    }
});

test("no room to note that a webhook was taken: it is not sent again and again", async () => {
    let fail = true;
    receiver.answer = () => [fail ? 500 : 200, 0];
    const { id } = (await told(0)).body;
    for (const end = Date.now() + 10000; receiver.ends(id).ends.length === 0; await sleep(20)) assert.ok(Date.now() < end, "it is told");
    limit(4096);
    fail = false;
    await sleep(3000);
    const sent = receiver.ends(id).taken.length;
    limit("unlimited");
    await assertTold([id]);
    assert.ok(sent >= 1 && sent <= 2, `taken ${sent} times`);
    const outcome = async () => (await server.call("GET", `/v1/webhooks/deliveries?prediction=${id}`)).body.results[0].state;
    for (const end = Date.now() + 15000; await outcome() !== "delivered"; await sleep(50)) assert.ok(Date.now() < end, "the outcome is stored");
    assert.equal(receiver.ends(id).taken.length, sent, "and it was not sent for that");
});
