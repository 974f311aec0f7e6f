// kill -9 at every step that changes the disk, of what the API makes beside files: creates with a key, ends with a webhook and a
// line in the books, models, trained versions, deployments. After the next start all of it is whole, and what had begun ends.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { auditBooks } from "./audit.mjs";
import { assertSteps, eventually, killAtEveryStep, readEnds } from "./crash_points.mjs";
import { versionOf } from "./load.mjs";
import { Receiver } from "./receiver.mjs";
import { Server } from "./server.mjs";

const WEBHOOK_ARGS = ["--allow-private-urls", "--webhook-first-retry", "50"];
const limits = { timeout: 240_000 };
let receiver;
before(async () => { receiver = await new Receiver().start(); });
after(() => receiver.stop());

const readSecret = async (server) => { receiver.secret = (await server.call("GET", "/v1/webhooks/default/secret")).body.key; };

// Every end was told, as the record has it, and is in the books once.
async function assertTold(server, step) {
    const said = [], ends = await readEnds(server);
    for (const { id, status, completed_at } of ends.filter(({ webhook }) => webhook)) {
        await eventually(() => receiver.ends(id).taken.length > 0, `step ${step}: ${id} is not told`);
        const told = receiver.ends(id).ends;
        assert.ok(told.every((end) => end.status === status && end.completed_at === completed_at), `step ${step}: ${status} ${completed_at}, told ${JSON.stringify(told)}`);
        assert.equal(new Set(told.map(({ message }) => message)).size, 1, `step ${step}: one message, however often it was sent`);
    }
    assert.equal(receiver.badSignatures, 0);
    assert.equal(auditBooks(server.data, ends, (line) => said.push(line)), 0, `step ${step}: ${said.join()}`);
}

test("a create with an idempotency key", limits, async (context) => {
    const create = (server, step) => server.call("POST", "/v1/models/test/noop/predictions", { input: { text: `once ${step}` } }, { "idempotency-key": `once ${step}` });
    assertSteps(context, await killAtEveryStep({
        act: async (server, _, step) => (await create(server, step)).body.id,
        check: async (server, _, id, step) => {
            const again = await create(server, step);
            assert.equal(again.status, 201, again.text);
            if (id) assert.equal(again.body.id, id, `step ${step}`);
            const made = (await readEnds(server)).filter(({ input }) => input.text === `once ${step}`);
            assert.deepEqual(made.map((one) => [one.id, one.status]), [[again.body.id, "succeeded"]], `step ${step}`);
        },
    }), 2);
});

test("an end with its webhook and its line in the books", limits, async (context) => {
    assertSteps(context, await killAtEveryStep({
        args: WEBHOOK_ARGS,
        first: readSecret,
        act: async (server) => {
            const { body } = await server.call("POST", "/v1/models/test/copy_file/predictions",
                { input: { image: "data:,x" }, webhook: receiver.url, webhook_events_filter: ["completed"] }, { prefer: "wait=20" });
            await eventually(() => server.process.signalCode || receiver.ends(body.id).taken.length > 0, "it is told");
            return body.id;
        },
        check: (server, _, id, step) => assertTold(server, step),
    }), 6);
});

test("a webhook that was taken, and a kill before that is noted: told again, as the same message", limits, async () => {
    const server = new Server(undefined, { args: WEBHOOK_ARGS });
    let killing = true;
    receiver.answer = () => { if (killing) server.process.kill("SIGKILL"); return [200, 0]; };
    try {
        await server.start();
        await readSecret(server);
        for (let i = 0; i < 5; i++) {
            killing = true;
            const { body } = await server.call("POST", "/v1/models/test/noop/predictions", { input: {}, webhook: receiver.url, webhook_events_filter: ["completed"] });
            await server.ended;
            killing = false;
            await server.start();
            await eventually(() => receiver.ends(body.id).taken.length === 2, "it is told again");
            await assertTold(server, i);
        }
        await sleep(300);
        await server.stop();
        await server.start();
        const before = receiver.lastAt;
        await sleep(500);
        assert.equal(receiver.lastAt, before, "what was noted is not told again");
    } finally {
        receiver.answer = () => [200, 0];
        await server.remove();
    }
});

test("a model", limits, async (context) => {
    const make = (server, step) => server.call("POST", "/v1/models", { owner: "local", name: `m${step}`, visibility: "private", hardware: "cpu" });
    assertSteps(context, await killAtEveryStep({
        act: async (server, _, step) => (await make(server, step)).status,
        check: async (server, _, status, step) => {
            const there = (await server.call("GET", `/v1/models/local/m${step}`)).status;
            if (status) assert.deepEqual([status, there], [201, 200], `step ${step}`);
            assert.equal((await make(server, step)).status, there === 200 ? 409 : 201, `step ${step}`);
            assert.equal((await server.call("DELETE", `/v1/models/local/m${step}`)).status, 204, `step ${step}`);
        },
    }), 1);
});

// The pupil's versions, as ids, and the folders of weights there are for it.
async function versions(server) {
    const folder = `${server.data}/weights/local/pupil`;
    const listed = (await server.call("GET", "/v1/models/local/pupil/versions")).body.results;
    return { listed: listed.map(({ id }) => id).sort(), folders: existsSync(folder) ? readdirSync(folder).sort() : [] };
}

const versionsOf = (ends) => ends.filter(({ status, output }) => status === "succeeded" && output?.version).map(({ output }) => output.version.split(":")[1]).sort();

async function assertVersions(server, step) {
    const wanted = versionsOf(await readEnds(server));
    await eventually(async () => (await versions(server)).folders.join() === wanted.join(), `step ${step}: folders for ${wanted}`);
    assert.deepEqual((await versions(server)).listed, wanted, `step ${step}`);
}

const pupil = (server) => server.call("POST", "/v1/models", { owner: "local", name: "pupil", visibility: "private", hardware: "cpu" });
const train = (server, step, steps) => server.call("POST", `/v1/models/test/trainable/versions/${versionOf("trainable")}/trainings`,
    { destination: "local/pupil", input: { word: `word${step}`, steps } });

test("a training: it ends, and its version runs", limits, async (context) => {
    assertSteps(context, await killAtEveryStep({
        first: pupil,
        act: async (server, _, step) => server.until((await train(server, step, 1)).body.id),
        check: async (server, _, ended, step) => {
            const [training] = (await readEnds(server)).filter(({ input }) => input.word === `word${step}`);
            if (ended) assert.equal(training?.status, "succeeded", `step ${step}`);
            await assertVersions(server, step);
            if (!training) return; // it was not acknowledged
            assert.equal(training.status, "succeeded", `step ${step}: ${training.error}`);
            const run = await server.call("POST", "/v1/predictions", { version: training.output.version.split(":")[1], input: {} }, { prefer: "wait=20" });
            assert.equal(run.body.output, `word${step}`, run.text);
        },
    }), 8);
});

test("a training that is canceled after a kill leaves no version, whatever it had made", limits, async (context) => {
    let canceled = 0;
    const steps = await killAtEveryStep({
        first: pupil,
        act: async (server, _, step) => server.until((await train(server, step, 20)).body.id),
        check: async (server, _, ended, step) => {
            const [{ id, status } = {}] = (await server.call("GET", "/v1/trainings")).body.results;
            if (status === "starting" || status === "processing") {
                await server.call("POST", `/v1/trainings/${id}/cancel`);
                canceled += (await server.until(id)).status === "canceled";
            }
            await assertVersions(server, step);
        },
    });
    assertSteps(context, steps, 8);
    assert.ok(canceled >= 4, `${canceled} were canceled`);
});

test("a version is deleted with its predictions and their files", limits, async (context) => {
    const path = (step) => `/v1/models/local/gone${step}`;
    const id = (step) => String(step).padStart(64, "e");
    const run = (server, step, wait) => server.call("POST", "/v1/predictions", { version: id(step), input: { image: "data:,x" } }, wait ? { prefer: "wait=20" } : {});
    const gone = async (server, step, ids) => (await Promise.all(ids.map((one) => server.call("GET", `/v1/predictions/${one}`)))).every(({ status }) => status === 404);
    assertSteps(context, await killAtEveryStep({
        prepare: async (server, step) => {
            const manifest = { runner: "native", model: "copy_file", versions: [{ id: id(step), created_at: "2026-01-01T00:00:00Z" }] };
            const made = await server.call("POST", "/v1/models", { owner: "local", name: `gone${step}`, visibility: "private", hardware: "cpu", manifest });
            assert.equal(made.status, 201, made.text);
            const ids = [];
            for (const wait of [true, true]) ids.push((await run(server, step, wait)).body.id);
            return ids;
        },
        act: async (server, ids, step) => {
            const { status } = await server.call("DELETE", `${path(step)}/versions/${id(step)}`);
            for (const end = Date.now() + 5000; Date.now() < end && !await gone(server, step, ids).catch(() => true);) await sleep(20);
            return status;
        },
        check: async (server, ids, status, step) => {
            if (status) assert.equal(status, 202);
            const there = await server.call("GET", `${path(step)}/versions/${id(step)}`);
            if (there.status === 200) { // it was not answered: then all of it is there
                assert.equal(status, undefined, `step ${step}`);
                assert.equal((await run(server, step, true)).body.status, "succeeded", `step ${step}`);
                return;
            }
            await eventually(() => gone(server, step, ids), `step ${step}: its predictions go`);
            await eventually(async () => (await server.call("DELETE", path(step))).status === 204, `step ${step}: the model can be deleted`);
        },
    }), 5);
});

test("a deployment", limits, async (context) => {
    const make = (server, step) => server.call("POST", "/v1/deployments",
        { name: `d${step}`, model: "test/noop", version: versionOf("noop"), hardware: "cpu", min_instances: 0, max_instances: 1 });
    assertSteps(context, await killAtEveryStep({
        act: async (server, _, step) => (await make(server, step)).status,
        check: async (server, _, status, step) => {
            const there = (await server.call("GET", `/v1/deployments/local/d${step}`)).status;
            if (status) assert.deepEqual([status, there], [200, 200], `step ${step}`);
            assert.equal((await make(server, step)).status, there === 200 ? 409 : 200, `step ${step}`);
            const run = await server.call("POST", `/v1/deployments/local/d${step}/predictions`, { input: { text: "x" } }, { prefer: "wait=20" });
            assert.equal(run.body.status, "succeeded", run.text);
        },
    }), 1);
});
