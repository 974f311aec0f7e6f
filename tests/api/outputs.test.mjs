// Links to output files: public, signed, with ranges and conditional requests; and base URLs.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { PIXEL, Server, TOKEN, ended, until } from "./server.mjs";

const dataUrl = `data:image/png;base64,${PIXEL.toString("base64")}`;
let server, link;
before(async () => {
    server = await Server.start();
    const { id } = await server.client().predictions.create({ model: "test/copy_file", input: { image: dataUrl } });
    link = (await until(server.client(), id, ended)).output;
});
after(async () => { await server.stop(); });

test("a link works without a token, and with any", async () => {
    for (const headers of [{}, { authorization: `Bearer ${TOKEN}` }, { authorization: "Bearer wrong" }]) {
        const answer = await fetch(link, { headers });
        assert.equal(answer.status, 200);
        assert.deepEqual(Buffer.from(await answer.arrayBuffer()), PIXEL);
        assert.equal(answer.headers.get("content-type"), "image/png");
        assert.equal(answer.headers.get("content-length"), String(PIXEL.length));
        assert.equal(answer.headers.get("accept-ranges"), "bytes");
        assert.equal(answer.headers.get("access-control-allow-origin"), "*");
        assert.match(answer.headers.get("etag"), /^"[0-9a-f]{32}"$/);
        assert.match(answer.headers.get("cache-control"), /^public,max-age=(3600|35\d\d)$/);
        assert.ok(!Number.isNaN(Date.parse(answer.headers.get("last-modified"))));
    }
    assert.match(link, /\/out-0\.png$/);
});

test("links last an hour, and data is kept an hour, unless told otherwise", async () => {
    const expiry = Number(new URL(link).pathname.split("/")[3].split("-")[0]);
    assert.ok(Math.abs(expiry - 3600 - Date.now() / 1000) < 60, `${expiry}`);
    const help = server.command("serve", "--help");
    for (const [name, value] of [["link-lifetime SECONDS", 3600], ["retention SECONDS", 3600], ["deployment-quiet SECONDS", 900],
        ["creates-per-minute N", 600], ["calls-per-minute N", 3000], ["webhook-first-retry MS", 5000]])
        assert.match(help, new RegExp(`--${name} .*\\[${value}\\]`));
});

test("HEAD tells the size", async () => {
    const answer = await fetch(link, { method: "HEAD" });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-length"), String(PIXEL.length));
});

test("ranges", async () => {
    const size = PIXEL.length;
    const cases = [
        ["bytes=0-3", 206, PIXEL.subarray(0, 4), `bytes 0-3/${size}`],
        ["bytes=4-", 206, PIXEL.subarray(4), `bytes 4-${size - 1}/${size}`],
        ["bytes=-5", 206, PIXEL.subarray(size - 5), `bytes ${size - 5}-${size - 1}/${size}`],
        ["bytes=2-9999", 206, PIXEL.subarray(2), `bytes 2-${size - 1}/${size}`],
        ["bytes=-9999", 206, PIXEL, `bytes 0-${size - 1}/${size}`],
        [`bytes=${size}-`, 416, Buffer.alloc(0), `bytes */${size}`],
        ["bytes=-0", 416, Buffer.alloc(0), `bytes */${size}`],
        ["bytes=5-2", 200, PIXEL, null],
        ["bytes=0-1,3-4", 200, PIXEL, null],
        ["lines=0-1", 200, PIXEL, null],
    ];
    for (const [range, status, bytes, content] of cases) {
        const answer = await fetch(link, { headers: { range } });
        assert.equal(answer.status, status, range);
        assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes, range);
        assert.equal(answer.headers.get("content-range"), content);
    }
});

test("conditional requests", async () => {
    const etag = (await fetch(link)).headers.get("etag");
    assert.equal((await fetch(link, { headers: { "if-none-match": etag } })).status, 304);
    assert.equal((await fetch(link, { headers: { "if-none-match": '"other"' } })).status, 200);
    assert.equal((await fetch(link, { headers: { range: "bytes=0-0", "if-range": '"other"' } })).status, 200);
    assert.equal((await fetch(link, { headers: { range: "bytes=0-0", "if-range": etag } })).status, 206);
});

test("a changed link is refused", async () => {
    const url = new URL(link);
    const [, outputs, key, stamp, name] = url.pathname.split("/");
    const [expiry, signature] = [stamp.slice(0, stamp.indexOf("-")), stamp.slice(stamp.indexOf("-") + 1)];
    const wrong = signature.slice(0, -2) + (signature.endsWith("AA") ? "BB" : "AA");
    for (const path of [`${key}/${Number(expiry) + 1}-${signature}/${name}`, `${key}/${expiry}-${wrong}/${name}`, `${key}/${expiry}-${signature}/other.png`,
        `${key}/${expiry}-${signature}/`, `${key}/${expiry}/${name}`, `..%2f..%2f${key}/${expiry}-${signature}/${name}`, "", "a/b/c/d/e"]) {
        const answer = await fetch(`${url.origin}/${outputs}/${path}`);
        assert.ok([400, 403, 404].includes(answer.status), path);
        await answer.text();
    }
});

test("under the gateway prefix everything stays under it", async () => {
    const client = server.client({ baseUrl: `${server.url}/replicate/v1` });
    const prediction = await client.predictions.create({ model: "test/copy_file", input: { image: dataUrl } });
    assert.equal(prediction.urls.get, `${server.url}/replicate/v1/predictions/${prediction.id}`);
    const { output } = await until(client, prediction.id, ended);
    assert.ok(output.startsWith(`${server.url}/replicate/outputs/`));
    assert.equal((await fetch(output)).status, 200);
    assert.equal(await client.run("test/noop", { input: { text: "x" } }), "x");
    const file = await client.files.create(new Blob([PIXEL]));
    assert.ok(file.urls.get.startsWith(`${server.url}/replicate/v1/files/`));
    const copy = await client.predictions.create({ model: "test/copy_file", input: { image: file.urls.get } });
    assert.equal((await until(client, copy.id, ended)).status, "succeeded");
    const status = (await client.models.list()).results.length;
    assert.ok(status > 0);
});

// fetch() does not let a test choose the Host header.
function urlsWith(port, headers) {
    return new Promise((done, fail) => {
        const call = request({ host: "127.0.0.1", port, path: "/v1/predictions", method: "POST",
            headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers } }, (response) => {
            let text = "";
            response.on("data", (chunk) => { text += chunk; });
            response.on("end", () => done(JSON.parse(text).urls?.get ?? text));
        });
        call.on("error", fail);
        call.end('{"version":"test/noop","input":{}}');
    });
}

test("links use the request's host; a stranger's X-Forwarded headers do not count", async () => {
    const any = await Server.start({ args: ["--hosts", "*"] });
    const { port } = new URL(any.url);
    try {
        assert.match(await urlsWith(port, { host: "example.com" }), /^http:\/\/example\.com\/v1\/predictions\//);
        assert.match(await urlsWith(port, { host: "example.com", "x-forwarded-proto": "https", "x-forwarded-host": "evil.example" }), /^http:\/\/example\.com\/v1/);
        assert.doesNotMatch(await urlsWith(port, { host: 'a"b' }), /"b/);
    } finally { await any.stop(); }
});

test("a trusted proxy's headers count, and a public URL wins", async () => {
    const proxied = await Server.start({ args: ["--trusted-proxies", "127.0.0.1"] });
    const fixed = await Server.start({ args: ["--public-url", "https://mimeo.example/base"] });
    try {
        assert.match(await urlsWith(new URL(proxied.url).port, { "x-forwarded-proto": "https", "x-forwarded-host": "api.example" }), /^https:\/\/api\.example\/v1\//);
        assert.match(await urlsWith(new URL(fixed.url).port, {}), /^https:\/\/mimeo\.example\/base\/v1\//);
        const [listed] = (await fixed.call("GET", "/v1/predictions")).json.results;
        assert.deepEqual(Object.keys(listed.urls), ["cancel", "get", "stream", "web"]);
        for (const url of Object.values(listed.urls)) assert.ok(url.startsWith("https://mimeo.example/base/"), url);
        assert.match((await fixed.call("GET", "/v1/models")).json.next, /^https:\/\/mimeo\.example\/base\/v1\/models\?cursor=/);
        const file = await fixed.client().files.create(Buffer.from("x"));
        assert.equal(file.urls.get, `https://mimeo.example/base/v1/files/${file.id}`);
    } finally { await proxied.stop(); await fixed.stop(); }
});

test("--sync-output url and data", async () => {
    for (const [form, start] of [["url", "http://"], ["data", "data:image/png;base64,"]]) {
        const chosen = await Server.start({ args: ["--sync-output", form] });
        try {
            const answer = await chosen.call("POST", "/v1/models/test/copy_file/predictions", { body: { input: { image: dataUrl } }, headers: { prefer: "wait" } });
            assert.equal(answer.status, 201);
            assert.ok(answer.json.output.startsWith(start), answer.json.output);
            const later = await chosen.call("GET", `/v1/predictions/${answer.json.id}`);
            assert.ok(later.json.output.startsWith("http://"));
            const ran = await chosen.client().run("test/copy_file", { input: { image: dataUrl } });
            if (form === "data") assert.equal(typeof ran.blob, "function");
            else assert.ok(typeof ran === "string" && ran.startsWith("http://"), "the client makes files of https: and data: only");
        } finally { await chosen.stop(); }
    }
});

test("over TLS, run() gives a FileOutput with an https link", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mimeo-tls-"));
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], { stdio: "ignore" });
    const secure = await Server.start({ args: ["--tls-cert", certificate, "--tls-key", key] });
    try {
        // Node reads which certificates it trusts at its start: so another one asks.
        const child = spawn(process.execPath, [fileURLToPath(new URL("over_tls.mjs", import.meta.url))],
            { env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate, MIMEO_URL: secure.url.replace(/^http:/, "https:"), MIMEO_TOKEN: TOKEN }, stdio: ["ignore", "pipe", "inherit"] });
        let text = "";
        child.stdout.on("data", (chunk) => { text += chunk; });
        assert.equal(await new Promise((done) => child.once("exit", done)), 0);
        const said = JSON.parse(text);
        assert.match(said.url, /^https:\/\/.*\/out-0\.png$/);
        assert.equal(said.bytes, PIXEL.toString("base64"));
        // The client fetches the file as soon as it has its link, once, without a token; the file must be there by then.
        assert.deepEqual(said.fetched.map(({ url, authorization }) => [new URL(url).pathname.split("/").at(-1), authorization]),
            [["predictions", `Bearer ${TOKEN}`], ["out-0.png", null]]);
        assert.equal(said.atOnce, 2, "before anything was read");
        assert.deepEqual([said.fetched[1].url, said.fetched[1].status, said.fetched[1].type, said.type], [said.url, 200, "image/png", "image/png"]);
    } finally { await secure.stop(); rmSync(folder, { recursive: true }); }
});
