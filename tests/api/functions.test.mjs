// POST /api/<function>: a picture in, {"output": ...} or the picture out, errors as {"error": ...}.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PIXEL, Server, TOKEN, root, sleep } from "./server.mjs";

let server, folder;
before(async () => {
    folder = mkdtempSync(join(tmpdir(), "mimeo-functions-"));
    for (const name of readdirSync(join(root, "tests/models"))) if (name.endsWith(".yaml")) copyFileSync(join(root, "tests/models", name), join(folder, name));
    writeFileSync(join(folder, "functions.yaml"), `functions:
  copy: {model: test/copy_file, image: image}
  words: {model: test/text_list, defaults: {delay_ms: 1}}
  sleep: {model: test/sleep}
  crash: {model: test/crash}
  lost: {model: test/nobody, image: image}
`);
    server = await Server.start({ manifests: folder });
});
after(async () => { await server.stop(); rmSync(folder, { recursive: true, force: true }); });

const picture = (name = "photo.png") => {
    const form = new FormData();
    form.append("image", new Blob([PIXEL], { type: "image/png" }), name);
    return form;
};
const errorOf = (answer, status) => {
    assert.equal(answer.status, status, answer.text);
    assert.deepEqual(Object.keys(answer.json), ["error"]);
    assert.equal(typeof answer.json.error, "string");
    assert.ok(answer.json.error.length > 5);
    return answer.json.error;
};

test("a form with a picture gives the output", async () => {
    const answer = await server.call("POST", "/api/copy", { body: picture() });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(Object.keys(answer.json), ["output"]);
    assert.equal(answer.json.output, `data:image/png;base64,${PIXEL.toString("base64")}`, "over plain http files are data URLs");
    const predictions = (await server.call("GET", "/v1/predictions")).json.results;
    assert.match(predictions[0].input.image, /\/v1\/files\//, "the picture went in as a file, not as base64");
});

test("the picture itself comes when the client asks for one", async () => {
    for (const accept of ["image/*", "image/png", "image/webp,image/*;q=0.5"]) {
        const response = await fetch(`${server.url}/api/copy`, { method: "POST", body: picture(), headers: { authorization: `Bearer ${TOKEN}`, accept } });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get("content-type"), "image/png");
        assert.deepEqual(Buffer.from(await response.arrayBuffer()), PIXEL);
    }
});

test("JSON works, too, and so does the gateway prefix", async () => {
    const image = `data:image/png;base64,${PIXEL.toString("base64")}`;
    const answer = await server.call("POST", "/replicate/api/copy", { body: { image } });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.output, image);
    const list = await server.call("GET", "/replicate/api");
    assert.match(list.json.functions[0].url, /\/replicate\/api\//);
});

test("fields of the form get the types of the schema", async () => {
    const { Input } = (await server.call("GET", "/v1/models/test/sleep")).json.latest_version.openapi_schema.components.schemas;
    const [name, schema] = Object.entries(Input.properties).find(([, one]) => one.type === "integer" || one.type === "number");
    const timed = new FormData();
    timed.append(name, "7");
    assert.equal((await server.call("POST", "/api/sleep", { body: timed })).status, 200);
    assert.equal((await server.call("GET", "/v1/predictions")).json.results[0].input[name], 7, `${schema.type} from text`);
    const wrong = new FormData();
    wrong.append(name, "many");
    assert.match(errorOf(await server.call("POST", "/api/sleep", { body: wrong }), 422), new RegExp(`^${name}: Invalid type\\. Expected: ${schema.type}, given: string$`));
});

test("errors are plain", async () => {
    errorOf(await server.call("POST", "/api/nobody", { body: picture() }), 404);
    assert.match(errorOf(await server.call("POST", "/api/lost", { body: picture() }), 404), /test\/nobody/);
    assert.match(errorOf(await server.call("POST", "/api/copy", { body: {} }), 400), /image/);
    errorOf(await server.call("POST", "/api/copy", { body: "{", headers: { "content-type": "application/json" } }), 400);
    errorOf(await server.call("POST", "/api/copy", { body: "[1]", headers: { "content-type": "application/json" } }), 400);
    assert.match(errorOf(await server.call("POST", "/api/copy", { body: { image: "not a url" } }), 422), /image: Does not match format 'uri'/);
    errorOf(await server.call("POST", "/api/copy", { body: picture(), token: "r8_wrong" }), 401);
    errorOf(await server.call("POST", "/api/copy", { body: picture(), token: null }), 401);
    errorOf(await server.call("POST", "/api/crash", { body: {} }), 500);
    const empty = new FormData();
    empty.append("image", new Blob([]), "empty.png");
    errorOf(await server.call("POST", "/api/copy", { body: empty }), 400);
});

test("the list names every function with its model", async () => {
    const { functions } = (await server.call("GET", "/api")).json;
    const copy = functions.find((one) => one.name === "copy");
    assert.deepEqual([copy.model, copy.image_input, copy.ready, copy.url], ["test/copy_file", "image", true, `${server.url}/api/copy`]);
    const lost = functions.find((one) => one.name === "lost");
    assert.deepEqual([lost.ready, lost.version], [false, null]);
    assert.equal((await server.call("GET", "/api", { token: null })).status, 401);
});

test("what is not ready in time goes on under its id", async () => {
    const { Input } = (await server.call("GET", "/v1/models/test/sleep")).json.latest_version.openapi_schema.components.schemas;
    const name = Object.keys(Input.properties)[0];
    const ending = await Server.start({ manifests: folder });
    const waiting = ending.call("POST", "/api/sleep", { body: { [name]: name.endsWith("_ms") ? 30000 : 30 } });
    for (let i = 0; i < 100 && (await ending.call("GET", "/v1/predictions")).json.results.length === 0; i++) await sleep(20);
    await sleep(200);
    const stopped = ending.stop(); // ends waits as the minute's end would
    const answer = await waiting;
    assert.equal(answer.status, 504, answer.text);
    assert.match(answer.json.prediction, /^[0-9a-z]{26}$/);
    await stopped;
});
