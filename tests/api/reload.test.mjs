// SIGHUP: the settings and manifests are read again while the server runs.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, ended, root, sleep, until, versionOf } from "./server.mjs";

let server, replicate, folder, config;
const manifest = (name, id) => readFileSync(join(root, "tests/models/noop.yaml"), "utf8").replace("name: noop", `name: ${name}`).replace(versionOf("noop"), id);
const settings = (text) => writeFileSync(config, text);

// Send the signal and wait until `test` holds.
async function reload(what) {
    server.process.kill("SIGHUP");
    for (let i = 0; i < 200; i++, await sleep(20)) if (await what()) return;
    assert.fail(`not after 4 s: ${what}\n${server.log}`);
}

before(async () => {
    folder = mkdtempSync(join(tmpdir(), "mimeo-reload-"));
    mkdirSync(join(folder, "models"));
    config = join(folder, "config.yaml");
    writeFileSync(join(folder, "models/first.yaml"), manifest("first", versionOf("noop")));
    settings("creates-per-minute: 100\nlog-level: info\n");
    server = await Server.start({ manifests: join(folder, "models"), args: ["--config", config] });
    replicate = server.client();
});
after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
});

test("a new manifest is there, a removed one is gone, and what runs of it ends well", async () => {
    const waiting = await replicate.predictions.create({ version: versionOf("noop"), input: { text: "before" } });
    writeFileSync(join(folder, "models/second.yaml"), manifest("second", "e".repeat(64)));
    await reload(async () => (await server.call("GET", "/v1/models/test/second")).status === 200);
    assert.equal(await replicate.run("test/second", { input: { text: "new" } }), "new");
    rmSync(join(folder, "models/first.yaml"));
    await reload(async () => (await server.call("GET", "/v1/models/test/first")).status === 404);
    assert.equal((await server.call("POST", "/v1/predictions", { body: { version: versionOf("noop"), input: {} } })).status, 422);
    assert.equal((await until(replicate, waiting.id, ended)).output, "before");
});

test("a rate changes", async () => {
    settings("creates-per-minute: 2\n");
    const create = () => server.call("POST", "/v1/models/test/second/predictions", { body: { input: {} } });
    await reload(async () => (await create()).status === 429);
    settings("creates-per-minute: 6000\n");
    await reload(async () => (await create()).status === 201);
});

test("a mistake changes nothing and is in the log", async () => {
    writeFileSync(join(folder, "models/broken.yaml"), "owner: [\n");
    server.log = "";
    await reload(async () => /reload_failed.*broken\.yaml/.test(server.log));
    assert.equal((await server.call("GET", "/v1/models/test/second")).status, 200);
    rmSync(join(folder, "models/broken.yaml"));
    settings("no-such-option: 1\n");
    server.log = "";
    await reload(async () => /reload_failed.*no-such-option/.test(server.log));
    assert.equal(await replicate.run("test/second", { input: { text: "still" } }), "still");
});
