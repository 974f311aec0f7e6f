// Lists of predictions by model, status, token and limit, the header that keeps their data, and the removal of data.
import assert from "node:assert/strict";
import { File } from "node:buffer";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PIXEL, Server, ended, sleep, until } from "./server.mjs";

let server, replicate, made, secondToken;
before(async () => {
    server = await Server.start({ args: ["--retention", "2"] });
    replicate = server.client();
    secondToken = server.command("tokens", "create", "--name", "second").match(/r8_\w+/)[0];
    made = [];
    // In turn: one that succeeds, one that fails, one of another token, one that is canceled.
    for (let i = 0; i < 12; i++) made.push(await make(i % 4));
});
after(async () => { await server.stop(); });

const kinds = [
    { model: "test/noop", status: "succeeded" },
    { model: "test/crash", status: "failed" },
    { model: "test/noop", status: "succeeded", second: true },
    { model: "test/sleep", status: "canceled", input: { seconds: 60 } },
];

async function make(kind) {
    const { model, input, second, status } = kinds[kind];
    const answer = await server.call("POST", `/v1/models/${model}/predictions`,
        { body: { input: input ?? {} }, headers: { "mimeo-source": "web" }, ...(second ? { token: secondToken } : {}) });
    assert.equal(answer.status, 201, answer.text);
    if (status === "canceled") await server.call("POST", `/v1/predictions/${answer.json.id}/cancel`);
    const prediction = await until(replicate, answer.json.id, ended);
    assert.equal(prediction.status, status, JSON.stringify(prediction));
    return { id: prediction.id, model, status, second: second ?? false };
}

const list = async (query) => {
    const answer = await server.call("GET", `/v1/predictions?${query}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
};
const idsOf = (page) => page.results.map((prediction) => prediction.id);
const wanted = (test) => made.filter(test).map(({ id }) => id).reverse();

test("by model, by status, by both", async () => {
    assert.deepEqual(idsOf(await list("model=test/noop")), wanted((p) => p.model === "test/noop"));
    assert.deepEqual(idsOf(await list("model=test%2Fcrash")), wanted((p) => p.status === "failed"));
    assert.deepEqual(idsOf(await list("status=failed,canceled")), wanted((p) => p.status !== "succeeded"));
    assert.deepEqual(idsOf(await list("status=succeeded")), wanted((p) => p.status === "succeeded"));
    assert.deepEqual(idsOf(await list("status=starting,processing")), []);
    assert.deepEqual(idsOf(await list("status=failed&model=test/noop")), []);
    assert.deepEqual(idsOf(await list("model=test/none")), []);
});

test("what runs is found by its status", async () => {
    const { json: running } = await server.call("POST", "/v1/models/test/sleep/predictions", { body: { input: { seconds: 60 } } });
    assert.deepEqual(idsOf(await list("status=starting,processing")), [running.id]);
    await server.call("POST", `/v1/predictions/${running.id}/cancel`);
    await until(replicate, running.id, ended);
    assert.deepEqual(idsOf(await list("status=starting,processing")), []);
    made.push({ id: running.id, model: "test/sleep", status: "canceled" });
});

test("by the token that made them", async () => {
    const { results } = (await server.call("GET", "/v1/predictions?limit=100")).json;
    assert.equal(results.length, made.length);
    const ids = server.command("tokens", "list").match(/^[0-9a-f]{16}(?=.*second)/m);
    assert.ok(ids, "the list of tokens names the second one's id");
    assert.deepEqual(idsOf(await list(`token=${ids[0]}`)), wanted((p) => p.second));
    assert.deepEqual(idsOf(await list("token=0123456789abcdef")), []);
});

test("pages of a filtered list go both ways, and their links repeat the filter", async () => {
    const all = wanted((p) => p.status !== "succeeded");
    const seen = [];
    let page = await list("status=canceled,failed&limit=2");
    const pages = [page];
    assert.equal(page.previous, null);
    for (;;) {
        seen.push(...idsOf(page));
        if (!page.next) break;
        assert.match(page.next, /status=canceled%2Cfailed/);
        assert.match(page.next, /limit=2/);
        page = await list(new URL(page.next).search.slice(1));
        pages.push(page);
    }
    assert.deepEqual(seen, all);
    assert.ok(pages.slice(0, -1).every((each) => each.results.length === 2));
    for (let i = pages.length - 1; i > 0; i--) {
        page = await list(new URL(page.previous).search.slice(1));
        assert.deepEqual(idsOf(page), idsOf(pages[i - 1]));
    }
    assert.equal((await list("limit=100")).next, null);
});

test("nonsense is refused with a sentence", async () => {
    for (const query of ["model=noop", "model=a/b/c", "model=/b", "model=a/", `model=a/${"b".repeat(300)}`, "status=done", "status=failed,,canceled", "status=,",
        "token=x", "token=0123456789abcdefg", "limit=0", "limit=101", "limit=-1", "limit=ten", "limit=1.5"]) {
        const answer = await server.call("GET", `/v1/predictions?${query}`);
        assert.equal(answer.status, 400, query);
        assert.match(answer.json.detail, new RegExp(`^${query.split("=")[0]} must be `), query);
    }
    assert.equal((await server.call("GET", "/v1/predictions?model=&status=&token=&limit=")).status, 200, "empty is absent");
});

test("trainings have no such filters, and their list is as it was", async () => {
    const answer = await server.call("GET", "/v1/trainings?limit=0&status=nonsense");
    assert.deepEqual([answer.status, answer.json.results], [200, []]);
});

test("what a page makes says web and keeps its data; what the API makes does not", async () => {
    const create = async (headers) => {
        const { json } = await server.call("POST", "/v1/models/test/noop/predictions", { body: { input: {} }, headers });
        await until(replicate, json.id, ended);
        return json;
    };
    const web = await create({ "mimeo-source": "web" }), api = await create({}), other = await create({ "mimeo-source": "Web" });
    assert.deepEqual([web.source, api.source, other.source], ["web", "api", "api"]);
    assert.ok(idsOf(await list("source=web")).includes(web.id));
    const others = idsOf(await list("source=api"));
    assert.ok(others.includes(api.id) && others.includes(other.id) && !others.includes(web.id));
    assert.equal((await server.call("GET", "/v1/predictions?source=cli")).status, 400);
    await until(replicate, api.id, (prediction) => prediction.data_removed);
    await until(replicate, other.id, (prediction) => prediction.data_removed);
    await sleep(500);
    assert.equal((await replicate.predictions.get(web.id)).data_removed, false);
});

// All files among the blobs but notes of doubt.
function blobs() {
    const folder = join(server.data, "blobs");
    return readdirSync(folder, { recursive: true }).filter((name) => /^[0-9a-f]{2}\/./.test(name));
}

test("data is removed at once, with its files; the record stays; the second time is the same", async () => {
    const file = await replicate.files.create(new File([PIXEL], "a.png", { type: "image/png" }));
    const { json } = await server.call("POST", "/v1/models/test/copy_file/predictions",
        { body: { input: { image: file.urls.get } }, headers: { "mimeo-source": "web" } });
    const prediction = await until(replicate, json.id, ended);
    assert.equal(prediction.status, "succeeded", prediction.error);
    const before = blobs().length;
    for (let i = 0; i < 2; i++) {
        const answer = await server.call("DELETE", `/v1/predictions/${json.id}`);
        assert.deepEqual([answer.status, answer.text], [204, ""]);
        const after = await replicate.predictions.get(json.id);
        assert.deepEqual([after.data_removed, after.input, after.output, after.logs, after.status], [true, {}, null, "", "succeeded"]);
        assert.equal(after.completed_at, prediction.completed_at);
        assert.equal(blobs().length, before - 1, "the output is gone, the uploaded file is not");
    }
    assert.equal((await fetch(prediction.output)).status, 404);
    assert.equal((await replicate.files.get(file.id)).id, file.id);
    assert.equal(existsSync(join(server.data, "work", json.id)), false);
});

test("only one's own, only when it has ended", async () => {
    const { json } = await server.call("POST", "/v1/models/test/sleep/predictions",
        { body: { input: { seconds: 60 } }, headers: { "mimeo-source": "web" } });
    const early = await server.call("DELETE", `/v1/predictions/${json.id}`);
    assert.equal(early.status, 409);
    assert.match(early.json.detail, /has not ended/);
    const stranger = server.command("tokens", "create", "--account", "stranger").match(/r8_\w+/)[0];
    await server.call("POST", `/v1/predictions/${json.id}/cancel`);
    await until(replicate, json.id, ended);
    assert.equal((await server.call("DELETE", `/v1/predictions/${json.id}`, { token: stranger })).status, 404);
    assert.equal((await server.call("DELETE", `/v1/predictions/${json.id}`, { token: null })).status, 401);
    assert.equal((await server.call("DELETE", "/v1/predictions/0123456789abcdefghjkmnpqrs")).status, 404);
    assert.equal((await server.call("DELETE", "/v1/predictions/nonsense")).status, 404);
    assert.equal((await replicate.predictions.get(json.id)).data_removed, false);
    assert.equal((await server.call("DELETE", `/v1/predictions/${json.id}`)).status, 204);
});
