// Searching models, collections, hardware.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./server.mjs";

let server, replicate;
before(async () => { server = await Server.start(); replicate = server.client(); });
after(async () => { await server.stop(); });

const names = (results) => results.map((model) => `${model.owner}/${model.name}`);

test("QUERY finds models, however the query is sent", async () => {
    const page = await replicate.models.search("noop");
    assert.deepEqual(Object.keys(page), ["next", "previous", "results"]);
    assert.deepEqual([page.next, page.previous], [null, null]);
    assert.equal(names(page.results)[0], "test/noop");
    for (const [body, type] of [["noop", "text/plain"], ['"noop"', "text/plain"], ['"noop"', "application/json"], ["noop", "application/json"], ["  noop\n", "text/plain"]]) {
        const answer = await server.call("QUERY", "/v1/models", { body, headers: { "content-type": type } });
        assert.equal(answer.status, 200, body);
        assert.deepEqual(names(answer.json.results), names(page.results), `${body} as ${type}`);
    }
    const many = await server.call("QUERY", "/v1/models", { body: "tests" });
    assert.ok(many.json.results.length > 3 && many.json.results.length <= 25);
    assert.deepEqual((await server.call("QUERY", "/v1/models", { body: "zzzzzz" })).json.results, []);
});

test("GET /search gives models with what was found, and collections", async () => {
    const { status, json } = await server.call("GET", "/v1/search?query=noop");
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(json), ["query", "models", "collections", "pages"]);
    assert.equal(json.query, "noop");
    const [first] = json.models;
    assert.equal(`${first.model.owner}/${first.model.name}`, "test/noop");
    assert.equal(typeof first.metadata.generated_description, "string");
    assert.ok(Array.isArray(first.metadata.tags));
    assert.ok(Array.isArray(json.collections) && Array.isArray(json.pages));
    assert.deepEqual(first.model, await replicate.models.get("test", "noop"), "a whole model");
    assert.equal(typeof first.metadata.score, "number");
    const scores = (await server.call("GET", "/v1/search?query=tests&limit=50")).json.models.map((m) => m.metadata.score);
    assert.deepEqual(scores, [...scores].sort((a, b) => b - a));
    assert.equal((await server.call("GET", "/v1/search?query=tests&limit=2")).json.models.length, 2);
    const found = (await server.call("GET", "/v1/search?query=upscale")).json.collections;
    assert.ok(found.length > 0 && found.every((c) => c.slug && Array.isArray(c.models)));
});

test("a search without a query is refused in the known words", async () => {
    for (const path of ["/v1/search", "/v1/search?query=", "/v1/search?limit=5"]) {
        const answer = await server.call("GET", path);
        assert.equal(answer.status, 400);
        assert.equal(answer.text, '{"detail":"Query parameter \\"query\\" is required"}');
    }
    for (const limit of ["0", "51", "x", "-1"]) assert.equal((await server.call("GET", `/v1/search?query=a&limit=${limit}`)).status, 400);
});

test("collections have descriptions and models", async () => {
    const page = await replicate.collections.list();
    assert.deepEqual(Object.keys(page), ["next", "previous", "results"]);
    assert.ok(page.results.length > 0);
    for (const collection of page.results) assert.equal(typeof collection.description, "string");
    const whole = await replicate.collections.get(page.results[0].slug);
    assert.equal(whole.slug, page.results[0].slug);
    assert.ok(Array.isArray(whole.models));
    assert.ok(whole.models.length > 0);
    for (const model of whole.models) assert.deepEqual(Object.keys(model), Object.keys(await replicate.models.get("test", "noop")));
    assert.equal((await server.call("GET", "/v1/collections/nobody")).status, 404);
});

test("hardware is a bare list, and a check of the token", async () => {
    const hardware = await replicate.hardware.list();
    assert.ok(Array.isArray(hardware));
    for (const one of hardware) {
        assert.deepEqual(Object.keys(one).sort(), ["name", "sku"]);
        assert.ok(typeof one.sku === "string" && typeof one.name === "string" && one.sku && one.name);
    }
    assert.equal(hardware[0].sku, "cpu");
    assert.match(hardware[0].name, /core/);
    assert.equal((await server.call("GET", "/v1/hardware", { token: "r8_wrong" })).status, 401);
});
