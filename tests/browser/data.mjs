// Data for pages to show: predictions that succeeded, failed and were canceled, a file, a deployment, a token, a delivered webhook.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { PHOTO, TOKEN } from "./harness.mjs";

const HELLO = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa";
const REMOVE_BACKGROUND = "1a075954106b608c3671c2583e10526216f700d846b127fcf01461e8f642fb48";
const REAL_ESRGAN = "42fed1c4974146d4d2414e2be2c5277c7fcf05fcc3a73abf41610695738c1d7b";

export async function create(server, version, input, more = {}, headers = {}) {
    const answer = await server.call("POST", "/v1/predictions", { body: { version, input, ...more }, headers: { "Mimeo-Source": "web", ...headers } });
    if (answer.status !== 201) throw new Error(`a prediction was not made: ${answer.status} ${answer.text}`);
    return answer.json;
}

export async function ended(server, id) {
    for (;;) {
        const { json } = await server.call("GET", `/v1/predictions/${id}`);
        if (!["starting", "processing"].includes(json.status)) return json;
        await new Promise((done) => setTimeout(done, 100));
    }
}

export async function upload(server, bytes, name, type) {
    const form = new FormData();
    form.append("content", new Blob([bytes], { type }), name);
    const response = await fetch(`${server.v1}/files`, { method: "POST", headers: { authorization: `Bearer ${TOKEN}` }, body: form });
    return response.json();
}

/** A receiver of webhooks that takes everything; `received` has their bodies. Close it. */
export async function receiver() {
    const received = [];
    const http = createServer(async (request, response) => {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        received.push(JSON.parse(Buffer.concat(chunks).toString()));
        response.end("ok");
    });
    await new Promise((done) => http.listen(0, "127.0.0.1", done));
    return { url: `http://127.0.0.1:${http.address().port}/hook`, received, close: () => http.close() };
}

/** Fill a server (started with allowPrivate when webhooks are wanted). photo: bytes of the picture to use. */
export async function fill(server, { photo = readFileSync(PHOTO), webhook, upscale = false } = {}) {
    const file = await upload(server, photo, "allium.jpg", "image/jpeg");
    const picture = await create(server, REMOVE_BACKGROUND, { image: file.urls.get }, webhook ? { webhook } : {});
    const hello = await create(server, HELLO, { text: "Ada" });
    const failed = await create(server, REAL_ESRGAN, { image: "data:text/plain;base64,bm8gcGljdHVyZQ==", scale: 2 });
    const large = upscale ? await create(server, REAL_ESRGAN, { image: file.urls.get, scale: 2 }) : null;
    for (const each of [picture, hello, failed, large]) if (each) await ended(server, each.id);
    await server.call("POST", "/v1/deployments", { body: { name: "greeter", model: "replicate/hello-world", version: HELLO, hardware: "cpu", min_instances: 0, max_instances: 1 } });
    await server.call("POST", "/v1/account/tokens", { body: { name: "laptop", scopes: ["read", "run"], creates_per_minute: 60 } });
    return { file: file.id, picture: picture.id, hello: hello.id, failed: failed.id, large: large?.id };
}
