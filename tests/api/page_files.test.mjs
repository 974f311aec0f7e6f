// The page's files as browsers get them, where they are not, and by which host names the server answers.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { build, Server, TOKEN } from "./server.mjs";

// Was this build made with the page? A build that should have it and does not fails below.
const options = JSON.parse(readFileSync(join(build, "meson-info/intro-buildoptions.json"), "utf8"));
const wanted = options.find((one) => one.name === "ui").value;
const skip = !wanted && "this build has no page (-Dui=false)";
const HTML = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

let server;
before(async () => { server = await Server.start(); });
after(() => server?.stop());

// fetch() chooses Host and Accept-Encoding itself, and unpacks: this one does not.
function raw(url, { method = "GET", headers = {}, body } = {}) {
    const { hostname, port, origin } = new URL(url);
    return new Promise((done, fail) => {
        const call = request({ hostname, port, path: url.slice(origin.length), method, headers }, (response) => {
            const chunks = [];
            response.on("data", (chunk) => chunks.push(chunk));
            response.on("end", () => done({ status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) }));
        });
        call.on("error", fail);
        call.end(body);
    });
}
const page = (path, headers = HTML, method = "GET") => raw(server.url + path, { method, headers });
const notFound = (answer) => {
    assert.equal(answer.status, 404);
    assert.equal(answer.headers["content-type"], "application/problem+json");
    assert.equal(answer.bytes.toString(), '{"detail":"The requested resource could not be found.","status":404}\n');
};

test("the page is there, with headers that keep others out", { skip }, async () => {
    const { status, headers, bytes } = await page("/");
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/html; charset=utf-8");
    assert.match(bytes.toString(), /<div id="root">/);
    const policy = Object.fromEntries(headers["content-security-policy"].split("; ").map((one) => [one.slice(0, one.indexOf(" ")), one.slice(one.indexOf(" ") + 1)]));
    assert.deepEqual(policy, {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' blob: data:", "media-src": "'self' blob: data:",
        "connect-src": "'self'", "font-src": "'self'", "worker-src": "'self'", "manifest-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
    });
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["x-frame-options"], "DENY");
    assert.equal(headers["referrer-policy"], "no-referrer");
    assert.equal(headers["cross-origin-opener-policy"], "same-origin");
    assert.equal(headers["cross-origin-resource-policy"], "same-origin");
    assert.match(headers["permissions-policy"], /camera=\(\), microphone=\(\), geolocation=\(\)/);
    assert.equal(headers["set-cookie"], undefined);
    assert.equal(headers["cache-control"], "no-cache");
    assert.equal((await page("/", { accept: "*/*" })).status, 200);
    const head = await page("/", HTML, "HEAD");
    assert.deepEqual([head.status, head.bytes.length, head.headers["content-length"]], [200, 0, headers["content-length"]]);
    // Nothing in it needs more than that policy gives.
    assert.equal(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|https?:\/\//i.test(bytes.toString()), false);
});

test("every file the page names is there in each coding, for a year; the page itself is asked for anew", { skip }, async () => {
    const html = (await page("/")).bytes.toString();
    const files = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path);
    const assets = files.filter((path) => path.startsWith("/assets/"));
    assert.ok(assets.some((path) => path.endsWith(".js")) && assets.some((path) => path.endsWith(".css")), files.join(" "));
    for (const path of files) {
        const plain = await page(path, {}), br = await page(path, { "accept-encoding": "gzip, deflate, br" }), gzip = await page(path, { "accept-encoding": "gzip;q=0.5, br;q=0" });
        assert.equal(plain.status, 200, path);
        assert.match(plain.headers["content-type"], path.endsWith(".js") ? /^text\/javascript/ : path.endsWith(".css") ? /^text\/css/ : /^(image|application)\//);
        assert.equal(plain.headers["content-encoding"], undefined);
        assert.deepEqual([br.headers["content-encoding"], gzip.headers["content-encoding"]], ["br", "gzip"], path);
        assert.ok(brotliDecompressSync(br.bytes).equals(plain.bytes));
        assert.ok(gunzipSync(gzip.bytes).equals(plain.bytes));
        assert.equal(br.headers.vary, "Accept-Encoding");
        assert.equal(plain.headers["cache-control"], path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache");
        assert.equal(plain.headers["x-content-type-options"], "nosniff");
        assert.equal(plain.headers["content-security-policy"], br.headers["content-security-policy"]);
    }
    const { etag } = (await page("/")).headers;
    const same = await page("/", { ...HTML, "if-none-match": etag });
    assert.deepEqual([same.status, same.bytes.length, same.headers.etag], [304, 0, etag]);
    assert.equal((await page("/", { ...HTML, "if-none-match": '"other"' })).status, 200);
});

test("a browser gets the page at its paths and, as not found, at others; programs get what they ever got", { skip }, async () => {
    const index = (await page("/")).bytes;
    for (const path of ["/sign-in", "/explore", "/predictions?status=failed", "/tokens", "/p/abc123", "/owner/some-model.v1"]) {
        const answer = await page(path);
        assert.equal(answer.status, 200, path);
        assert.ok(answer.bytes.equals(index));
        notFound(await page(path, { accept: "application/json" }));
        notFound(await page(path, {}));
    }
    for (const path of ["/nothing", "/a/b/c", "/assets/missing.js", "/owner/na%20me", "/.git/config/x", "/index.htm"]) {
        const answer = await page(path);
        assert.equal(answer.status, 404, path);
        assert.ok(answer.bytes.equals(index));
    }
    for (const path of ["/v1", "/v1/nothing", "/v1/owner/name", "/replicate/v1", "/replicate/v1/x", "/replicate/api/x/y", "/replicate/v1/owner/name", "/outputs/x", "/api/x/y", "/healthz/x", "/metrics/x", "/openapi.json/x"])
        notFound(await page(path));
    assert.equal((await page("/v1/predictions")).headers["content-type"], "application/problem+json"); // 401
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) notFound(await page("/", HTML, method));
    for (const path of ["/assets/../index.html", "/%2e%2e/etc/passwd", "/assets//x", "//", "/index.html/"]) assert.notEqual((await page(path, {})).status, 200, path);
});

test("without the page there is nothing of it", async () => {
    const plain = await Server.start({ args: ["--without-ui"] });
    try {
        for (const path of ["/", "/index.html", "/sign-in", "/favicon.svg", "/owner/name"]) notFound(await raw(plain.url + path, { headers: HTML }));
        assert.equal((await plain.call("GET", "/v1/account")).status, 200);
    } finally {
        await plain.stop();
    }
});

// What `mimeo serve` prints until `words` came, or for a while.
async function printed(args, words, env = {}) {
    const child = spawn(join(build, "mimeo"), ["serve", "--data", server.data + "-link", "--runner", "/nonexistent", "--log-level", "debug", ...args],
        { env: { ...process.env, MIMEO_TOKEN: TOKEN, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let out = "", log = "";
    child.stderr.on("data", (chunk) => { log += chunk; });
    const done = new Promise((end) => { child.stdout.on("data", (chunk) => { out += chunk; if (out.endsWith("\n")) end(); }); child.once("exit", end); });
    await done;
    const code = out.match(words)?.[1];
    const url = out.match(/listening on (\S+)/)?.[1];
    const answer = code && await fetch(`${url}/v1/sign-in`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ code }) });
    child.kill("SIGTERM");
    await new Promise((end) => child.once("exit", end));
    return { out, log, code, status: answer?.status };
}

test("serve prints a link that signs in, on loopback only, and it is in no log", { skip }, async () => {
    const link = /^sign in at http:\/\/127\.0\.0\.1:\d+\/sign-in#code=([0-9A-Za-z]{40})$/m;
    const shown = await printed(["--listen", "127.0.0.1:0"], link);
    assert.match(shown.out, /^listening on http:\/\/127\.0\.0\.1:\d+\nsign in at /);
    assert.equal(shown.status, 201);
    assert.match(shown.log, /path="\/v1\/sign-in"/);
    assert.equal(shown.log.includes(shown.code), false);
    for (const args of [["--listen", "127.0.0.1:0", "--without-ui"], ["--listen", "0.0.0.0:0"]])
        assert.doesNotMatch((await printed(args, link)).out, /sign in/, args.join(" "));
});

test("on loopback only names that no stranger can own are answered", async () => {
    const named = await Server.start({ args: ["--hosts", "mimeo.example, other.example", "--public-url", "https://public.example/x"] });
    const ask = async (at, host) => (await raw(`${at.url}/healthz`, { headers: { host } })).status;
    try {
        for (const host of ["localhost", "LOCALHOST:80", "a.b.localhost:1", "127.0.0.1:9", "[::1]:8080", "192.168.1.7", "localhost."]) assert.equal(await ask(server, host), 200, host);
        for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "mimeo.example", "notlocalhost", "1.2.3", ".localhost", "localhost@evil.example"]) {
            const answer = await raw(`${server.url}/v1/account`, { headers: { host, authorization: `Bearer ${TOKEN}` } });
            assert.equal(answer.status, 421, host);
            assert.deepEqual(JSON.parse(answer.bytes), { title: "Misdirected request",
                detail: "This server is not known by that host name: use localhost, or name it with --hosts or --public-url.", status: 421 });
        }
        for (const path of ["/", "/sign-in", "/nothing"]) assert.equal((await raw(server.url + path, { headers: { ...HTML, host: "evil.example" } })).status, 421);
        for (const host of ["mimeo.example", "Other.Example:443", "public.example"]) assert.equal(await ask(named, host), 200, host);
        assert.equal(await ask(named, "evil.example"), 421);
        if (wanted) assert.match((await raw(named.url + "/", { headers: HTML })).headers["content-security-policy"], /img-src 'self' blob: data: https:\/\/public\.example; .*connect-src 'self' https:\/\/public\.example;/);
    } finally {
        await named.stop();
    }
    const open = await Server.start({ args: ["--hosts", "*"] });
    assert.equal(await ask(open, "evil.example"), 200);
    await open.stop();
});

test("what models and users make never runs as a page of this server", async () => {
    for (const [type, text] of [["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'], ["text/html", "<script>alert(1)</script>"]]) {
        const image = `data:${type};base64,${Buffer.from(text).toString("base64")}`;
        const { json } = await server.call("POST", "/v1/models/test/copy_file/predictions", { body: { input: { image } }, headers: { prefer: "wait=20" } });
        const { output } = (await server.call("GET", `/v1/predictions/${json.id}`)).json;
        const answer = await fetch(output);
        assert.equal(await answer.text(), text);
        assert.equal(answer.headers.get("content-type"), type === "text/html" ? "application/octet-stream" : type);
        assert.equal(answer.headers.get("content-security-policy"), "default-src 'none'; sandbox");
        assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
        // The page's policy trusts scripts of this server: an output is none.
        for (const use of ["script", "worker", "serviceworker", "style"])
            assert.equal((await raw(output, { headers: { "sec-fetch-dest": use } })).status, 403, use);
        for (const use of ["image", "document", "empty"]) assert.equal((await raw(output, { headers: { "sec-fetch-dest": use } })).status, 200, use);
    }
});
