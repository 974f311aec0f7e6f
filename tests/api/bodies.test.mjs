// Bodies recorded from the public API, compared byte for byte, and the rules that the recordings follow.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, versionOf } from "./server.mjs";

let server;
before(async () => { server = await Server.start({ args: ["--creates-per-minute", "1000", "--strict-names"] }); });
after(async () => { await server.stop(); });

const captured = "ca00000000000000000000000000000000000000000000000000000000000001";
const create = (body, path = "/v1/predictions") => server.call("POST", path, { body });
const withInput = (input) => create({ version: captured, input: { prompt: "p", ...input } });

// The answer has exactly this status, type and body.
function same(answer, status, body, type = "application/problem+json") {
    assert.equal(answer.text, body);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get("content-type").split(";")[0], type);
    assert.equal(Number(answer.headers.get("content-length") ?? body.length), Buffer.byteLength(body));
}

const validation = (detail, fields) => `${JSON.stringify({ detail, status: 422, title: "Input validation failed", invalid_fields: fields })}\n`;

test("401 without a token, and with an unknown one", async () => {
    const none = await server.call("GET", "/v1/models", { token: null });
    same(none, 401, '{"title":"Unauthenticated","detail":"You did not pass an authentication token","status":401}\n');
    const unknown = await server.call("GET", "/v1/models", { token: "r8_unknown" });
    same(unknown, 401, '{"title":"Unauthenticated","detail":"You did not pass a valid authentication token","status":401}\n');
    assert.equal(unknown.headers.get("content-length"), "98");
    for (const answer of [none, unknown])
        for (const name of ["ratelimit-remaining", "ratelimit-reset", "ratelimit-limit", "www-authenticate"]) assert.equal(answer.headers.get(name), null, name);
});

test("404 of a prediction, a model, a deployment, a community model by name", async () => {
    const body = '{"detail":"The requested resource could not be found.","status":404}\n';
    same(await server.call("GET", `/v1/predictions/${"a".repeat(26)}`), 404, body);
    same(await server.call("GET", "/v1/models/nobody/nothing"), 404, body);
    same(await create({ input: {} }, "/v1/models/nobody/nothing/predictions"), 404, body);
    same(await create({ input: {} }, "/v1/deployments/nobody/nothing/predictions"), 404, body);
    same(await create({ input: {} }, "/v1/models/test/noop/predictions"), 404, body);
});

test("404 of a training's destination", async () => {
    const answer = await create({ destination: "local/nowhere", input: { word: "x" } }, `/v1/models/test/trainable/versions/${versionOf("trainable")}/trainings`);
    same(answer, 404, '{"detail":"The specified training destination does not exist","status":404}\n');
    assert.equal(answer.headers.get("content-length"), "76");
});

test("404 of a file", async () => {
    const answer = await server.call("GET", "/v1/files/unknown");
    assert.equal(answer.status, 404);
    assert.deepEqual(answer.json, { detail: "File not found" });
});

test("422 of a version", async () => {
    const body = '{"title":"Invalid version or not permitted","detail":"The specified version does not exist (or perhaps you don\'t have permission to use it?)","status":422}\n';
    same(await create({ version: "0".repeat(64), input: {} }), 422, body);
    same(await create({ version: "test/captured:latest", input: {} }), 422, body);
});

test("422 of the envelope", async () => {
    same(await create({ model: "test/captured", input: {} }), 422, validation("- version is required\n- Additional property model is not allowed\n", [
        { type: "required", field: "", description: "version is required" },
        { type: "additional_property_not_allowed", field: "", description: "Additional property model is not allowed" }]));
    same(await create({ version: captured }), 422, validation("- input is required\n", [{ type: "required", field: "", description: "input is required" }]));
    const allowed = 'webhook_events_filter.0 must be one of the following: "start", "output", "logs", "completed"';
    same(await create({ version: captured, input: { prompt: "p" }, webhook: "https://example.com", webhook_events_filter: ["bad"] }), 422,
        validation(`- webhook_events_filter.0: ${allowed}\n`, [{ type: "enum", field: "webhook_events_filter.0", description: allowed }]));
});

test("422 of an input: enum", async () => {
    const description = 'output_format must be one of the following: "jpg", "png"';
    same(await withInput({ output_format: "gif" }), 422, `{"detail":"- input.output_format: output_format must be one of the following: \\"jpg\\", \\"png\\"\\n","status":422,"title":"Input validation failed","invalid_fields":[{"type":"enum","field":"input.output_format","description":"output_format must be one of the following: \\"jpg\\", \\"png\\""}]}\n`);
    assert.equal((await withInput({ output_format: "gif" })).json.invalid_fields[0].description, description);
    assert.equal((await withInput({ aspect_ratio: "5:4" })).json.detail, '- input.aspect_ratio: aspect_ratio must be one of the following: "1:1", "9:16", "16:9", "3:4", "4:3"\n');
});

test("422 of an input: required, and with a number too large", async () => {
    same(await create({ version: captured, input: {} }), 422, validation("- input: prompt is required\n", [{ type: "required", field: "input", description: "prompt is required" }]));
    assert.equal((await create({ version: captured, input: { num_inference_steps: 50 } })).json.detail,
        "- input: prompt is required\n- input.num_inference_steps: Must be less than or equal to 4\n");
});

test("422 of an input: types, null, arrays", async () => {
    same(await withInput({ seed: null }), 422, validation("- input.seed: Invalid type. Expected: integer, given: null\n", [
        { type: "invalid_type", field: "input.seed", description: "Invalid type. Expected: integer, given: null" }]));
    const answer = await withInput({ image: ["x"], num_outputs: 5 });
    assert.equal(answer.status, 422);
    assert.ok(answer.json.detail.endsWith("\n"));
    assert.deepEqual(new Set(answer.json.detail.slice(0, -1).split("\n")), new Set([
        "- input.image: Invalid type. Expected: string, given: array",
        "- input.num_outputs: Must be less than or equal to 4"]));
    assert.deepEqual(new Set(answer.json.invalid_fields.map((one) => `${one.type} ${one.field} ${one.description}`)), new Set([
        "invalid_type input.image Invalid type. Expected: string, given: array",
        "number_lte input.num_outputs Must be less than or equal to 4"]));
});

test("422 of an input: format uri", async () => {
    for (const start_image of ["", "a/local/path", "back\\slash://x"])
        same(await withInput({ start_image }), 422, validation("- input.start_image: Does not match format 'uri'\n", [
            { type: "format", field: "input.start_image", description: "Does not match format 'uri'" }]));
    for (const start_image of ["data:image/png;base64,AAAA", "https://example.com/a.png"])
        assert.equal((await withInput({ start_image })).status, 201, start_image);
});

test("422 of an input: numbers, their text, code points, and no second error for a wrong type", async () => {
    const written = (seed) => server.call("POST", "/v1/predictions", { headers: { "content-type": "application/json" },
        body: `{"version":"${captured}","input":{"prompt":"p","seed":${seed}}}` });
    for (const seed of ["3", "3.0", "30e-1", "1e3"]) assert.equal((await written(seed)).status, 201, seed);
    assert.equal((await written("3.5")).json.detail, "- input.seed: Invalid type. Expected: integer, given: number\n");
    for (const [input, type, description] of [
        [{ seed: 3.5 }, "invalid_type", "Invalid type. Expected: integer, given: number"],
        [{ pixels: 1000001 }, "number_lte", "Must be less than or equal to 1e+06"],
        [{ strength: 0.5 }, "number_lte", "Must be less than or equal to 0.1"],
        [{ strength: 0 }, "number_gt", "Must be greater than 0"],
        [{ num_outputs: 0 }, "number_gte", "Must be greater than or equal to 1"],
        [{ guidance: 10 }, "number_lt", "Must be less than 10"],
        [{ name: "😀😀😀😀" }, "string_lte", "String length must be less than or equal to 3"],
        [{ output_format: 7 }, "invalid_type", "Invalid type. Expected: string, given: integer"],
        [{ num_outputs: "9" }, "invalid_type", "Invalid type. Expected: integer, given: string"],
    ]) {
        const field = `input.${Object.keys(input)[0]}`;
        same(await withInput(input), 422, validation(`- ${field}: ${description}\n`, [{ type, field, description }]));
    }
    assert.equal((await withInput({ name: "😀😀😀" })).status, 201, "three code points");
    assert.equal((await withInput({ guidance: 9.99 })).status, 201);
});

test("unknown keys are taken and echoed, sorted; defaults are not filled in", async () => {
    const answer = await withInput({ zebra: { a: [1, "x", null, true] }, apple: 1.5 });
    assert.equal(answer.status, 201);
    assert.match(answer.text, /"input":\{"apple":1\.5,"prompt":"p","zebra":\{"a":\[1,"x",null,true\]\}\}/);
    // The model runs with its default all the same; the record has what was sent.
    const plain = await server.call("POST", "/v1/predictions", { body: { version: versionOf("noop"), input: {} }, headers: { prefer: "wait" } });
    assert.deepEqual([plain.json.output, plain.json.input], ["hello", {}]);
});

test("400 of a search without a query", async () => {
    const answer = await server.call("GET", "/v1/search");
    assert.equal(answer.status, 400);
    assert.deepEqual(answer.json, { detail: 'Query parameter "query" is required' });
});

test("409 of a model that is there", async () => {
    const body = { owner: "local", name: "twice", visibility: "private", hardware: "cpu" };
    assert.equal((await create(body, "/v1/models")).status, 201);
    const answer = await create(body, "/v1/models");
    assert.equal(answer.status, 409);
    assert.deepEqual(answer.json, { detail: "A model with that name and owner already exists.", status: 409, errors: [{ detail: "A model with that name and owner already exists." }] });
});

test("429: the words, the time to wait, and nothing made", async () => {
    const slow = await Server.start({ args: ["--creates-per-minute", "2"] });
    try {
        const one = () => slow.call("POST", "/v1/predictions", { body: { version: versionOf("noop"), input: {} } });
        assert.equal((await one()).headers.get("ratelimit-remaining"), "1");
        await one();
        const answer = await one();
        assert.equal(answer.status, 429);
        assert.equal(answer.headers.get("content-type"), "application/problem+json");
        const seconds = answer.json.retry_after;
        assert.equal(answer.text, `{"detail":"Request was throttled. Your rate limit resets in ~${seconds}s.","status":429,"retry_after":${seconds}}\n`);
        assert.equal(answer.headers.get("retry-after"), String(seconds));
        assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 30);
        assert.equal((await slow.call("GET", "/v1/predictions")).json.results.length, 2);
    } finally {
        await slow.stop();
    }
});
