// Files: uploaded in every client's form, used as inputs, and fetched as outputs.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { File } from "node:buffer"; // a global only from Node 20 on; Debian 12 has 18
import { createHash, createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { PIXEL, Server, ended, fileHost, until } from "./server.mjs";

let server, replicate, host;
before(async () => {
    server = await Server.start({ allowPrivate: true });
    replicate = server.client();
    host = await fileHost(PIXEL);
});
after(async () => { await host.stop(); assert.equal(await server.stop(), 0, server.log); });

const dataUrl = `data:image/png;base64,${PIXEL.toString("base64")}`;

async function copied(input) {
    const { id } = await replicate.predictions.create({ model: "test/copy_file", input });
    const prediction = await until(replicate, id, ended);
    assert.equal(prediction.status, "succeeded", prediction.error);
    const answer = await fetch(prediction.output);
    assert.equal(answer.status, 200);
    return Buffer.from(await answer.arrayBuffer());
}

// A form made by hand, to have the parts exactly as other clients send them.
async function uploadParts(parts) {
    const boundary = "----mimeo";
    const body = Buffer.concat([...parts.map(([head, content]) =>
        Buffer.concat([Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`), Buffer.from(content), Buffer.from("\r\n")])), Buffer.from(`--${boundary}--\r\n`)]);
    return server.call("POST", "/v1/files", { body, headers: { "content-type": `multipart/form-data; boundary=${boundary}` } });
}

test("a file is uploaded, read, listed, used and deleted by the official client", async () => {
    const statuses = [];
    const noting = server.client({ fetch: async (...args) => { const response = await fetch(...args); statuses.push(response.status); return response; } });
    const file = await noting.files.create(new File([PIXEL], "a.png", { type: "image/png" }), { origin: "test", n: 1 });
    assert.deepEqual(statuses, [201]);
    for (const time of [file.created_at, file.expires_at]) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/);
    assert.ok(Math.abs(Date.parse(file.created_at) - Date.now()) < 2000);
    assert.deepEqual(Object.keys(file), ["id", "name", "content_type", "size", "etag", "checksums", "metadata", "created_at", "expires_at", "urls"]);
    assert.equal(file.name, "a.png");
    assert.equal(file.content_type, "image/png");
    assert.equal(file.size, PIXEL.length);
    assert.equal(file.checksums.sha256, createHash("sha256").update(PIXEL).digest("hex"));
    assert.equal(file.checksums.md5, createHash("md5").update(PIXEL).digest("hex"));
    assert.equal(file.etag, file.checksums.md5);
    assert.deepEqual(file.metadata, { n: 1, origin: "test" });
    assert.equal(new Date(file.expires_at) - new Date(file.created_at), 86400000);
    assert.equal(file.urls.get, `${server.v1}/files/${file.id}`);
    assert.equal(file.id.length, 48);
    assert.deepEqual(await replicate.files.get(file.id), file);
    const page = await replicate.files.list();
    assert.deepEqual(Object.keys(page), ["next", "previous", "results"]);
    assert.deepEqual(page.results[0], file);
    assert.deepEqual(await copied({ image: file.urls.get }), PIXEL);
    assert.equal(await replicate.files.delete(file.id), true);
    const gone = await server.call("GET", `/v1/files/${file.id}`);
    assert.equal(gone.status, 404);
    assert.equal(gone.text, '{"detail":"File not found"}\n');
    assert.equal((await server.call("DELETE", `/v1/files/${file.id}`)).status, 404);
    assert.ok(!(await replicate.files.list()).results.some((f) => f.id === file.id));
});

test("other clients' forms", async () => {
    const python = await uploadParts([['Content-Disposition: form-data; name="content"; filename="b.txt"\r\nContent-Type: text/plain', "hi"]]);
    assert.equal(python.status, 201);
    assert.deepEqual(python.json.metadata, {});
    assert.equal(python.json.content_type, "text/plain");
    const go = await uploadParts([['Content-Disposition: form-data; name="content"; filename="c.bin"', "hi"], ['Content-Disposition: form-data; name="metadata"', '{"a":"b"}']]);
    assert.deepEqual(go.json.metadata, { a: "b" });
    assert.equal(go.json.content_type, "application/octet-stream");
    const beta = await uploadParts([['Content-Disposition: form-data; name="content"', "hi"], ['Content-Disposition: form-data; name="filename"', "d.png"], ['Content-Disposition: form-data; name="type"', "image/png"]]);
    assert.equal(beta.json.name, "d.png");
    assert.equal(beta.json.content_type, "image/png");
    const nameless = await uploadParts([['Content-Disposition: form-data; name="content"', "hi"]]);
    assert.deepEqual([beta.status, nameless.status, nameless.json.size, nameless.json.content_type, typeof nameless.json.name],
        [201, 201, 2, "application/octet-stream", "string"]);
    const empty = await uploadParts([['Content-Disposition: form-data; name="content"; filename="e.txt"', ""]]);
    assert.deepEqual([empty.status, empty.json.size], [201, 0]);
    assert.equal(empty.json.etag, "d41d8cd98f00b204e9800998ecf8427e");
    assert.equal(empty.json.checksums.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const gone = await server.call("DELETE", `/v1/files/${empty.json.id}`);
    assert.deepEqual([gone.status, gone.text], [204, ""]);
});

test("forms that are none", async () => {
    assert.equal((await uploadParts([['Content-Disposition: form-data; name="other"', "x"]])).status, 400);
    assert.equal((await uploadParts([['Content-Disposition: form-data; name="content"', "x"], ['Content-Disposition: form-data; name="metadata"', "[1]"]])).status, 400);
    assert.equal((await server.call("POST", "/v1/files", { body: "x", headers: { "content-type": "text/plain" } })).status, 400);
});

test("a file over 100 MB is 413 with its own words", async () => {
    const form = new FormData();
    form.append("content", new Blob([Buffer.alloc(103 << 20)]), "big.bin");
    const answer = await server.call("POST", "/v1/files", { body: form });
    assert.equal(answer.status, 413);
    assert.equal(answer.text, '{"detail":"Files must be less than 100MB in size"}\n');
});

test("a Blob, a File and a Buffer in the input are uploaded by the client", async () => {
    for (const image of [new Blob([PIXEL], { type: "image/png" }), new File([PIXEL], "x.png"), PIXEL])
        assert.deepEqual(await copied({ image }), PIXEL);
});

test("data URLs, http URLs and our own links are inputs", async () => {
    assert.deepEqual(await copied({ image: dataUrl }), PIXEL);
    assert.deepEqual(await copied({ image: host.url }), PIXEL);
    assert.equal(host.asked, 1);
    const { id } = await replicate.predictions.create({ model: "test/copy_file", input: { image: dataUrl } });
    const { output } = await until(replicate, id, ended);
    assert.deepEqual(await copied({ image: output }), PIXEL);
});

test("the input is echoed as it was sent", async () => {
    const prediction = await replicate.predictions.create({ model: "test/copy_file", input: { image: dataUrl } });
    assert.equal(prediction.input.image, dataUrl);
});

test("an answer that was waited for has data: URLs over http, so run() gives a FileOutput", async () => {
    const output = await replicate.run("test/copy_file", { input: { image: dataUrl } });
    assert.match(output.toString(), /^data:image\/png;base64,/);
    assert.deepEqual(Buffer.from(await (await output.blob()).arrayBuffer()), PIXEL);
});

test("a private address is not fetched unless it is allowed", async () => {
    const strict = await Server.start();
    try {
        const client = strict.client();
        const { id } = await client.predictions.create({ model: "test/copy_file", input: { image: host.url } });
        const asked = host.asked;
        const prediction = await until(client, id, ended);
        assert.equal(prediction.status, "failed");
        assert.match(prediction.error, /is not on the public internet/);
        assert.equal(host.asked, asked);
    } finally { await strict.stop(); }
});

// The secret that signs the links stands in the server's own records only: a model's link is made by the server.
const secret = () => execFileSync("python3", ["-c", `
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT value FROM settings WHERE name = 'files_signing_secret'").fetchone()[0].decode())`,
    join(server.data, "mimeo.db")], { encoding: "utf8" }).trim();

test("a download link gives the bytes until it expires, to nobody else and for nothing else", async () => {
    const bytes = Buffer.from("sig\0ned\xff", "latin1");
    const { json } = await uploadParts([['Content-Disposition: form-data; name="content"; filename="s.txt"\r\nContent-Type: text/plain', bytes]]);
    const { json: other } = await uploadParts([['Content-Disposition: form-data; name="content"; filename="o.txt"', "other"]]);
    const [key, now] = [secret(), Math.floor(Date.now() / 1000)];
    const download = async (id, owner, expiry, signed = `${owner} ${id} ${expiry}`) => {
        const signature = encodeURIComponent(createHmac("sha256", key).update(signed).digest("base64"));
        const answer = await fetch(`${server.v1}/files/${id}/download?owner=${owner}&expiry=${expiry}&signature=${signature}`);
        return { status: answer.status, type: answer.headers.get("content-type"), headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
    };
    const good = await download(json.id, "local", now + 60);
    assert.deepEqual([good.status, good.type], [200, "application/octet-stream"]);
    assert.deepEqual(good.bytes, bytes);
    // Whatever it is, no browser runs it as a page of this server.
    assert.deepEqual(["x-content-type-options", "content-security-policy"].map((name) => good.headers.get(name)), ["nosniff", "default-src 'none'; sandbox"]);
    for (const [id, owner, expiry, signed] of [[json.id, "local", now - 1], [json.id, "local", now + 120, `local ${json.id} ${now + 60}`],
        [other.id, "local", now + 60, `local ${json.id} ${now + 60}`], [json.id, "stranger", now + 60], ["none", "local", now + 60]]) {
        const bad = await download(id, owner, expiry, signed);
        assert.deepEqual([bad.status, bad.bytes.toString()], [404, '{"detail":"File not found"}\n'], `${id} ${owner} ${expiry - now}`);
    }
});

test("the owner's token reads a file without a link, pictures as what they are", async () => {
    const upload = async (type, bytes) => (await uploadParts([[`Content-Disposition: form-data; name="content"; filename="f"\r\nContent-Type: ${type}`, bytes]])).json.id;
    const download = (id, token) => server.call("GET", `/v1/files/${id}/download`, { token });
    for (const [type, shown] of [["image/png", "image/png"], ["image/svg+xml; charset=utf-8", "image/svg+xml"], ["video/mp4", "video/mp4"], ["text/html", "application/octet-stream"], ["image/<b>", "application/octet-stream"]]) {
        const id = await upload(type, "bytes");
        const { status, headers, text } = await download(id);
        assert.deepEqual([status, headers.get("content-type"), text], [200, shown, "bytes"]);
        assert.deepEqual(["x-content-type-options", "content-security-policy"].map((name) => headers.get(name)), ["nosniff", "default-src 'none'; sandbox"]);
        assert.equal((await download(id, "r8_nobody")).status, 401);
        assert.equal((await download(id, null)).status, 404);
        assert.equal((await download(id, server.command("tokens", "create", "--account", "stranger").trim())).status, 404);
        assert.equal((await download(id, server.command("tokens", "create", "--scopes", "run").trim())).status, 403);
    }
});

test("a download link needs a good signature", async () => {
    const { json } = await uploadParts([['Content-Disposition: form-data; name="content"; filename="s.txt"', "s"]]);
    const expiry = Math.floor(Date.now() / 1000) + 60;
    const signature = encodeURIComponent(createHmac("sha256", "guess").update(`default ${json.id} ${expiry}`).digest("base64"));
    for (const query of ["", `?owner=default&expiry=${expiry}&signature=${signature}`, "?owner=default&expiry=x&signature=%25"]) {
        const answer = await server.call("GET", `/v1/files/${json.id}/download${query}`, { token: null });
        assert.equal(answer.status, 404);
        assert.equal(answer.text, '{"detail":"File not found"}\n');
    }
});
