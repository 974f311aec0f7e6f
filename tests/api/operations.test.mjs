// What those who run the server look at: health, readiness, metrics, and the description of the API.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PIXEL, Server, root, versionOf } from "./server.mjs";

const Ajv = createRequire(import.meta.url)("ajv/dist/2020.js").default;
let server, replicate;
before(async () => { server = await Server.start(); replicate = server.client(); });
after(async () => { await server.stop(); });

// name{labels} -> value
const parse = (text) => Object.fromEntries(text.split("\n").filter((line) => line && !line.startsWith("#")).map((line) => {
    assert.match(line, /^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+$/);
    return [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))];
}));

test("health and readiness need no token", async () => {
    for (const path of ["/healthz", "/readyz"]) assert.equal((await server.call("GET", path, { token: null })).status, 200);
    assert.equal((await server.call("GET", "/readyz", { token: null })).json.status, "ready");
    assert.equal((await server.call("GET", "/replicate/readyz", { token: null })).status, 404);
});

test("metrics count calls and runs", async () => {
    await replicate.run("test/noop", { input: {} });
    await server.call("GET", "/v1/models/test/nobody");
    await server.call("GET", "/nowhere/at/all");
    const answer = await server.call("GET", "/metrics", { token: null });
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
    const numbers = parse(answer.text);
    assert.equal(numbers['mimeo_http_requests_total{route="/v1/models/{owner}/{name}",method="GET",status="4xx"}'], 1);
    assert.equal(numbers['mimeo_http_requests_total{route="none",method="any",status="4xx"}'] >= 1, true);
    const created = 'route="/v1/models/{owner}/{name}/predictions",method="POST"';
    assert.equal(numbers[`mimeo_http_requests_total{${created},status="2xx"}`], 1);
    assert.equal(numbers[`mimeo_http_request_duration_seconds_count{${created}}`], 1);
    assert.equal(numbers[`mimeo_http_request_duration_seconds_bucket{${created},le="+Inf"}`], 1);
    assert.ok(numbers[`mimeo_http_request_duration_seconds_sum{${created}}`] > 0);
    assert.equal(numbers['mimeo_predictions_total{model="test/noop",outcome="succeeded"}'], 1);
    assert.ok(numbers.mimeo_store_commit_seconds_count > 0 && numbers.mimeo_store_commit_seconds_sum > 0);
    assert.ok(numbers.process_resident_memory_bytes > 1e6);
    assert.ok(Object.keys(numbers).some((name) => name.startsWith("mimeo_build_info{version=")));
    const resident = Object.entries(numbers).filter(([name]) => name.startsWith("mimeo_runner_resident_bytes{"));
    assert.ok(resident.length > 0 && resident.every(([, bytes]) => bytes > 1e6), `also of one that is idle: ${resident}`);
    const families = [...answer.text.matchAll(/^# TYPE (\S+)/gm)].map((found) => found[1]);
    assert.equal(new Set(families).size, families.length, "each family stands in one place");
});

test("metrics through a proxy need a token", async () => {
    const headers = { "x-forwarded-for": "203.0.113.7" };
    assert.equal((await server.call("GET", "/metrics", { token: null, headers })).status, 401);
    assert.equal((await server.call("GET", "/metrics", { headers })).status, 200);
});

// Every {"METHOD", "/path", ...} of the resources' tables.
function routes() {
    const folder = join(root, "src/api/resource");
    return readdirSync(folder).filter((name) => name.endsWith(".c")).flatMap((name) =>
        [...readFileSync(join(folder, name), "utf8").matchAll(/\{\s*"([A-Z]+)",\s*"([^"]+)"/g)].map(([, method, path]) => `${method} ${path.replace("...", "")}`)).sort();
}

test("the description has every route of the server, and no other", async () => {
    const { json, status } = await server.call("GET", "/openapi.json", { token: null });
    assert.equal(status, 200);
    assert.equal(json.servers[0].url, server.url);
    assert.equal((await server.call("GET", "/replicate/openapi.json")).json.servers[0].url, `${server.url}/replicate`);
    const described = Object.entries(json.paths).flatMap(([path, item]) => Object.keys(item).filter((key) => key !== "parameters").map((method) => `${method.toUpperCase()} ${path}`)).sort();
    assert.deepEqual(described, routes());
    const operations = Object.values(json.paths).flatMap((item) => Object.entries(item).filter(([key]) => key !== "parameters").map(([, operation]) => operation));
    assert.equal(new Set(operations.map((operation) => operation.operationId)).size, operations.length);
    assert.equal(operations.filter((operation) => operation.tags.includes("replicate")).length, 37, "all of the public API");
    for (const [path, item] of Object.entries(json.paths)) for (const [, name] of path.matchAll(/\{(\w+)\}/g))
        for (const [key, operation] of Object.entries(item)) if (key !== "parameters") {
            const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => one.$ref ? json.components.parameters[one.$ref.split("/").pop()] : one);
            assert.ok(parameters.some((one) => one.in === "path" && one.name === name), `${key} ${path}: ${name}`);
        }
});

test("answers are as described", async () => {
    const { json: description } = await server.call("GET", "/openapi.json");
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
    ajv.addSchema({ $id: "https://mimeo.test/api", ...description });
    await replicate.models.create("local", "pupil", { visibility: "private", hardware: "cpu" });
    await replicate.deployments.create({ name: "app", model: "test/noop", version: versionOf("noop"), hardware: "cpu", min_instances: 0, max_instances: 1 });
    const prediction = await replicate.predictions.create({ version: versionOf("noop"), input: {} });
    const training = await replicate.trainings.create("test", "trainable", versionOf("trainable"), { destination: "local/pupil", input: { word: "x" } });
    const form = new FormData();
    form.append("content", new Blob([PIXEL], { type: "image/png" }), "a.png");
    const file = (await server.call("POST", "/v1/files", { body: form })).json;
    const collection = (await replicate.collections.list()).results[0].slug;
    const values = { "/v1/predictions/{id}": prediction.id, "/v1/predictions/{id}/progress": `${prediction.id}/progress`, "/v1/trainings/{id}": training.id, "/v1/files/{id}": file.id, "/v1/collections/{slug}": collection,
        "/v1/deployments/{owner}/{name}": "local/app" };
    let checked = 0;
    for (const [path, item] of Object.entries(description.paths)) {
        if (!item.get || /download|streams|outputs|metrics/.test(path)) continue;
        let url = path;
        if (values[path]) url = path.slice(0, path.indexOf("{")) + values[path];
        url = url.replace("{owner}", "test").replace("{name}", "noop").replace("{id}", versionOf("noop"));
        if (path === "/v1/search") url += "?query=noop";
        const answer = await server.call("GET", url);
        assert.equal(answer.status, 200, `${url}: ${answer.text}`);
        const named = item.get.responses["200"];
        const response = named.$ref ? description.components.responses[named.$ref.split("/").pop()] : named;
        const type = answer.headers.get("content-type").split(";")[0];
        assert.ok(response.content[type], `${url} answers ${type}`);
        const pointer = (named.$ref ?? `#/paths/${path.replace(/\//g, "~1").replace(/\{/g, "%7B").replace(/\}/g, "%7D")}/get/responses/200`) + `/content/${type.replace("/", "~1")}/schema`;
        const value = type === "application/json" ? answer.json : answer.text;
        const check = ajv.compile({ $ref: `https://mimeo.test/api${pointer}` });
        assert.ok(check(value), `${url}: ${JSON.stringify(check.errors)}`);
        checked++;
    }
    assert.ok(checked >= 22, `${checked} answers`);
    const problem = ajv.compile({ $ref: "https://mimeo.test/api#/components/schemas/Problem" });
    for (const [method, path, body] of [["GET", "/v1/models/test/nobody"], ["POST", "/v1/predictions", {}], ["POST", "/v1/models", {}], ["GET", "/v1/models?sort_by=x"]]) {
        const answer = await server.call(method, path, { body });
        assert.ok(answer.status >= 400 && problem(answer.json), `${path}: ${answer.text}`);
    }
});
