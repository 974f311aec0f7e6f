// Models and versions as the official client reads them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, versionOf } from "./server.mjs";

let server, replicate;
before(async () => { server = await Server.start(); replicate = server.client(); });
after(async () => { await server.stop(); });

test("the list has public models with all keys", async () => {
    const page = await replicate.models.list();
    assert.deepEqual(Object.keys(page), ["next", "previous", "results"]);
    assert.equal(page.results.length, 25);
    assert.match(page.next, new RegExp(`^${server.v1}/models\\?cursor=[\\w-]+$`));
    const second = (await server.call("GET", page.next.slice(server.url.length))).json;
    assert.ok(second.results.length > 0 && second.previous);
    const names = page.results.map((model) => `${model.owner}/${model.name}`);
    assert.ok(names.includes("test/noop"));
    assert.ok(names.includes("bria/remove-background"), "built-in models stand beside a user's");
    for (const model of page.results) {
        assert.deepEqual(Object.keys(model), ["cover_image_url", "created_at", "default_example", "description", "github_url", "is_official",
            "latest_version", "license_url", "name", "owner", "paper_url", "run_count", "url", "visibility", "weights_url"]);
        assert.ok(Number.isInteger(model.run_count));
        assert.equal(typeof model.latest_version.cog_version, "string");
    }
    const times = page.results.map((model) => model.latest_version.created_at);
    assert.deepEqual(times, [...times].sort().reverse());
});

test("the list is sorted as asked", async () => {
    const all = async (path) => {
        const found = [];
        for (let next = server.url + path; next;) {
            const { json } = await server.call("GET", next.slice(server.url.length));
            found.push(...json.results);
            next = json.next;
        }
        return found;
    };
    const down = await all("/v1/models?sort_by=model_created_at");
    const up = await all("/v1/models?sort_by=model_created_at&sort_direction=asc");
    assert.ok(down.length > 25);
    const times = up.map((model) => model.created_at);
    assert.deepEqual(times, [...times].sort());
    assert.notEqual(times[0], times.at(-1));
    const versions = (await all("/v1/models?sort_direction=asc")).map((model) => model.latest_version.created_at);
    assert.deepEqual(versions, [...versions].sort());
    const { next } = (await server.call("GET", "/v1/models?sort_by=model_created_at&sort_direction=asc")).json;
    assert.deepEqual(["sort_by", "sort_direction"].map((name) => new URL(next).searchParams.get(name)), ["model_created_at", "asc"]);
    assert.deepEqual(up.map((m) => m.name), down.map((m) => m.name).reverse());
    assert.equal((await server.call("GET", "/v1/models?sort_by=colour")).status, 400);
});

test("a model has its latest version and schema", async () => {
    const model = await replicate.models.get("test", "copy_file");
    assert.deepEqual(Object.keys(model.latest_version), ["id", "created_at", "cog_version", "openapi_schema"]);
    assert.equal(model.latest_version.id, versionOf("copy_file"));
    assert.equal(model.latest_version.cog_version, "0.9.7");
    assert.equal(new Date(model.latest_version.created_at).getTime(), Date.UTC(2024, 0, 1));
    const { Input, Output } = model.latest_version.openapi_schema.components.schemas;
    assert.deepEqual(Input.required, ["image"]);
    assert.equal(Input.properties.image.format, "uri");
    assert.equal(Input.properties.image["x-order"], 0);
    assert.equal(Output.format, "uri");
    assert.ok(!("paths" in model.latest_version.openapi_schema));
});

test("an iterator output says so", async () => {
    const { Output } = (await replicate.models.get("test", "text_list")).latest_version.openapi_schema.components.schemas;
    assert.equal(Output["x-cog-array-type"], "iterator");
});

test("run_count counts predictions", async () => {
    const before = (await replicate.models.get("test", "noop")).run_count;
    await replicate.run("test/noop", { input: {} });
    assert.equal((await replicate.models.get("test", "noop")).run_count, before + 1);
    assert.ok(Number.isInteger(before));
});

test("versions are listed and read", async () => {
    const list = await replicate.models.versions.list("test", "noop");
    assert.equal(list.results.length, 1);
    const version = await replicate.models.versions.get("test", "noop", list.results[0].id);
    assert.deepEqual(Object.keys(version), ["id", "created_at", "cog_version", "openapi_schema"]);
    assert.equal(typeof version.cog_version, "string");
    assert.equal(version.openapi_schema.components.schemas.Input.type, "object");
    assert.equal(version.openapi_schema.components.schemas.Output.type, "string");
    await assert.rejects(replicate.models.versions.get("test", "noop", "0".repeat(64)), /404/);
});

test("versions are listed newest first; a model without any has an empty list", async () => {
    const page = await replicate.models.versions.list("bria", "remove-background");
    assert.deepEqual(Object.keys(page), ["next", "previous", "results"]);
    const times = page.results.map((version) => Date.parse(version.created_at));
    assert.ok(times.length >= 3);
    assert.deepEqual(times, [...times].sort((a, b) => b - a));
    assert.equal(page.results[0].id, (await replicate.models.get("bria", "remove-background")).latest_version.id);
    await replicate.models.create("local", "bare", { visibility: "private", hardware: "cpu" });
    assert.deepEqual(await replicate.models.versions.list("local", "bare"), { next: null, previous: null, results: [] });
});

test("readme and examples", async () => {
    const readme = await server.call("GET", "/v1/models/test/noop/readme");
    assert.equal(readme.status, 200);
    assert.match(readme.headers.get("content-type"), /^text\/plain/);
    assert.equal(readme.text, "Only the test suite runs this.");
    assert.deepEqual((await server.call("GET", "/v1/models/test/noop/examples")).json, { next: null, previous: null, results: [] });
    await replicate.models.create("local", "unread", { visibility: "private", hardware: "cpu" });
    assert.equal((await server.call("GET", "/v1/models/local/unread")).status, 200);
    const unread = await server.call("GET", "/v1/models/local/unread/readme");
    assert.deepEqual([unread.status, typeof unread.json.detail], [404, "string"]);
    const page = (await server.call("GET", "/v1/models/stability-ai/sdxl/examples")).json;
    assert.deepEqual(Object.keys(page), ["next", "previous", "results"]);
    assert.equal(page.results.length, 1);
    for (const key of ["id", "model", "version", "input", "output", "logs", "error", "status", "created_at", "urls"]) assert.ok(key in page.results[0], key);
    assert.deepEqual([page.results[0].model, page.results[0].status], ["stability-ai/sdxl", "succeeded"]);
    assert.deepEqual(page.results[0], (await replicate.models.get("stability-ai", "sdxl")).default_example);
});

test("unknown models are 404", async () => {
    for (const path of ["/v1/models/test/nobody", "/v1/models/test/nobody/versions", "/v1/models/test/nobody/readme"]) {
        const answer = await server.call("GET", path);
        assert.equal(answer.status, 404);
        assert.equal(answer.text, '{"detail":"The requested resource could not be found.","status":404}\n');
    }
});
