// What others must not be able to do through the page: run their script on its origin, frame it, rebind a name to it, use its session.
import assert from "node:assert/strict";
import { request as httpRequest, createServer } from "node:http";
import { after, before } from "node:test";
import { versionOf } from "../api/server.mjs";
import { create, ended, upload } from "./data.mjs";
import { SLOWNESS, TOKEN, launch, pageTest, settled, startServer, visitor } from "./harness.mjs";

const MARK = "hacked"; // what a script that ran would set on its window
const SCRIPT = `<img src=x onerror="window.${MARK}=1"><script>window.${MARK}=1</script><svg onload="window.${MARK}=1">`;
const EVIL_LINK = `javascript:window.${MARK}=1`;
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20" onload="window.${MARK}=1"><script>window.${MARK}=1</script><rect width="20" height="20"/></svg>`;
const HTML = `<!doctype html><title>evil</title><body>${SCRIPT}</body>`;

let server, browser, elsewhere;
before(async () => {
    server = await startServer({ models: "test", allowPrivate: true });
    browser = await launch();
    elsewhere = await otherOrigin();
});
after(async () => {
    await browser?.close();
    await server?.stop();
    await elsewhere?.close();
});

/** A site of somebody else: answers every path with an empty page, and remembers the headers it was asked with. */
async function otherOrigin() {
    const site = { asked: [] };
    const http = createServer((request, response) => {
        site.asked.push({ url: request.url, headers: request.headers });
        response.writeHead(200, { "content-type": "text/html" });
        response.end(decodeURIComponent(new URL(request.url, "http://x").searchParams.get("html") ?? "<!doctype html><title>elsewhere</title>"));
    });
    await new Promise((done) => http.listen(0, "127.0.0.1", done));
    site.url = `http://localhost:${http.address().port}`;
    site.showing = (html) => `${site.url}/?html=${encodeURIComponent(encodeURIComponent(html))}`;
    site.close = () => new Promise((done) => { http.close(done); http.closeAllConnections(); });
    return site;
}

/** A window at the other site; what its console says is theirs. */
function theirs(t) {
    return visitor(t, browser, { url: elsewhere.url }, { signedIn: false, allow: [/./] });
}

/** Did a script of the data run in the page or one of its frames? */
async function wasHacked(page) {
    for (const frame of page.frames()) if (await frame.evaluate((mark) => window[mark] !== undefined, MARK).catch(() => false)) return true;
    return false;
}

const manifestOf = (digit) => ({ runner: "native", model: "noop", versions: [{ id: digit.repeat(64) }] });

async function evilData() {
    const model = { owner: "local", name: "evil", visibility: "private", hardware: "cpu" };
    const made = await server.call("POST", "/v1/models", { body: { ...model, description: `Evil ${SCRIPT}`, manifest: manifestOf("e") } });
    assert.equal(made.status, 201, made.text);
    const readme = `# Readme ${SCRIPT}\n\n[a link](${EVIL_LINK}) [other](${elsewhere.url}/from-readme) ![p](x" onerror="window.${MARK}=1) <a href="${EVIL_LINK}">raw</a>`;
    const changed = await server.call("PATCH", "/v1/models/local/evil", { body: { readme } });
    assert.equal(changed.status, 200, changed.text);
    // Whether such addresses are taken is for the API to say; when they are, they must be harmless.
    for (const field of ["github_url", "paper_url", "license_url"]) await server.call("PATCH", "/v1/models/local/evil", { body: { [field]: EVIL_LINK } });
    await server.call("POST", "/v1/account/tokens", { body: { name: `t${SCRIPT}`.slice(0, 64) } });
    const file = await upload(server, Buffer.from("some bytes"), `${SCRIPT}.svg`.replaceAll("/", ""), "image/svg+xml");
    const text = `\u001b[31mred ${SCRIPT}\u001b]8;;${EVIL_LINK}\u0007link\u001b]8;;\u0007\u001b[2J\u001b[1;1Hdone ${SCRIPT}`;
    const logged = await create(server, versionOf("reports"), { text, fail: true });
    const said = await create(server, versionOf("noop"), { text: `prompt ${SCRIPT}` });
    await ended(server, logged.id);
    await ended(server, said.id);
    return { logged: logged.id, said: said.id, file: file.id };
}

pageTest("markup in names, prompts, logs, readmes and errors is text everywhere", async (t) => {
    const evil = await evilData();
    const page = await visitor(t, browser, server);
    page.on("dialog", (dialog) => dialog.dismiss().then(() => page.problems.push(`dialog: ${dialog.message()}`)));
    const shown = {};
    for (const path of ["/explore?q=evil", "/local/evil", "/local/evil?tab=readme", "/predictions", `/p/${evil.logged}`, `/p/${evil.said}`, `/test/noop?from=${evil.said}`, `/compare?from=${evil.said}`, "/files", "/tokens", "/usage", "/webhooks", "/deployments", `/predictions?model=${encodeURIComponent(SCRIPT)}`, `/explore?q=${encodeURIComponent(SCRIPT)}`]) {
        await page.goto(path);
        await settled(page);
        assert.equal(await wasHacked(page), false, `a script ran on ${path}`);
        assert.deepEqual(await page.locator("a[href^='javascript:' i], [onerror], [onload], main script:not(:empty), iframe, object, embed").evaluateAll((all) => all.map((each) => each.outerHTML)), [], path);
        shown[path] = await page.locator("main").innerText();
    }
    // It was there to be dangerous: what is shown has the markup as its letters.
    assert.match(shown[`/p/${evil.logged}`], /<script>window\.hacked=1<\/script>/);
    assert.match(shown[`/p/${evil.said}`], /prompt <img src=x onerror=/);
    assert.match(shown["/local/evil"], /Evil <img src=x onerror=/);
    assert.match(shown["/local/evil?tab=readme"], /Readme/);
    await page.goto(`/p/${evil.logged}`);
    const log = await page.getByRole("main").getByRole("region", { name: "Logs" }).innerText();
    assert.match(log, /done <img src=x/);
    assert.ok(!log.includes("\u001b"), "control sequences of a log reach the page");
});

pageTest("links out of a readme tell nothing: no referrer, no opener", async (t) => {
    const page = await visitor(t, browser, server);
    const made = await server.call("POST", "/v1/models", { body: { owner: "local", name: "linked", visibility: "private", hardware: "cpu", description: "Has a link.", manifest: manifestOf("f") } });
    assert.equal(made.status, 201, made.text);
    await server.call("PATCH", "/v1/models/local/linked", { body: { readme: `See [elsewhere](${elsewhere.url}/from-readme).` } });
    await page.goto("/local/linked?tab=readme");
    const [popup] = await Promise.all([page.waitForEvent("popup"), page.getByRole("link", { name: /elsewhere/ }).click()]);
    await popup.waitForLoadState();
    assert.equal(await popup.evaluate(() => window.opener), null);
    assert.equal(await popup.evaluate(() => document.referrer), "");
    const asked = elsewhere.asked.find((each) => each.url === "/from-readme");
    assert.equal(asked.headers.referer, undefined);
    page.problems = page.problems.filter((each) => !each.includes("/from-readme") && !each.includes(`${elsewhere.url}/favicon.ico`)); // the request that was asked for
});

pageTest("outputs and uploads that are SVG or HTML run no script when their link is opened", async (t) => {
    const page = await visitor(t, browser, server, { allow: [/sandbox|Content Security Policy|ERR_ABORTED|status of 404/i] });
    for (const [bytes, ending, type] of [[SVG, "svg", "image/svg+xml"], [HTML, "html", "text/html"]]) {
        const file = await upload(server, Buffer.from(bytes), `evil.${ending}`, type);
        const made = await ended(server, (await create(server, versionOf("copy_file"), { image: file.urls.get })).id);
        assert.equal(made.status, "succeeded", made.error);
        const links = [Array.isArray(made.output) ? made.output[0] : made.output];
        const download = await server.call("GET", `/v1/files/${file.id}/download`);
        assert.equal(download.status, 200, `the upload (${ending}): ${download.text}`);
        assert.match(download.headers.get("content-security-policy") ?? download.headers.get("content-disposition") ?? "", /sandbox|attachment/, `the upload (${ending})`);
        for (const link of links) {
            const answer = await fetch(link);
            assert.equal(answer.status, 200, link);
            assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
            const opened = await page.goto(link).then(() => true, (error) => /Download is starting|ERR_ABORTED/.test(String(error)) ? false : assert.fail(error));
            if (opened) {
                await page.waitForLoadState("networkidle");
                assert.equal(await wasHacked(page), false, `a script ran in ${link}`);
                assert.match(answer.headers.get("content-security-policy") ?? "", /sandbox/, link);
            }
        }
        // And on the prediction's own page.
        await page.goto(`/p/${made.id}`);
        await settled(page);
        assert.equal(await wasHacked(page), false);
    }
});

pageTest("nobody may put the page into a frame", async (t) => {
    const attacker = await theirs(t);
    const refusals = [];
    attacker.on("console", (message) => /frame-ancestors|X-Frame-Options/.test(message.text()) && refusals.push(message.text()));
    await attacker.goto(elsewhere.showing(`<!doctype html><iframe src="${server.url}/"></iframe><iframe src="${server.url}/sign-in"></iframe>`));
    await attacker.waitForFunction(() => document.querySelectorAll("iframe").length === 2);
    await attacker.waitForLoadState("networkidle");
    const frames = attacker.frames().slice(1);
    assert.equal(frames.length, 2);
    assert.equal(refusals.length, 2, refusals.join("\n"));
    for (const frame of frames) {
        assert.ok(!frame.url().startsWith(server.url), `framed: ${frame.url()}`);
        assert.equal(await frame.locator("#root").count(), 0);
    }
});

pageTest("a window opened by somebody else is out of their reach", async (t) => {
    const attacker = await theirs(t);
    await attacker.goto(elsewhere.showing(`<!doctype html><button onclick="window.held = window.open('${server.url}/')">open</button>`));
    const [popup] = await Promise.all([attacker.waitForEvent("popup"), attacker.getByRole("button", { name: "open" }).click()]);
    await popup.waitForURL(/sign-in/);
    assert.equal(await popup.evaluate(() => window.opener), null);
    assert.equal(await attacker.evaluate(() => window.held.closed), true, "their handle still leads to the page");
});

pageTest("another origin can neither create nor read, with or without a token", async (t) => {
    const attacker = await theirs(t);
    const count = async () => (await server.call("GET", "/v1/predictions")).json.results.length;
    const before_count = await count();
    await attacker.goto(elsewhere.showing(`<!doctype html><title>attack</title>`));
    const outcomes = await attacker.evaluate(
        async ([url, version, token]) => {
            const body = JSON.stringify({ version, input: {} });
            const tries = {
                "POST with a token": () => fetch(`${url}/v1/predictions`, { method: "POST", headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, body }),
                "GET with a token": () => fetch(`${url}/v1/predictions`, { headers: { Authorization: `Bearer ${token}` } }),
                "GET with credentials": () => fetch(`${url}/v1/account`, { credentials: "include" }),
                "sign-in": () => fetch(`${url}/v1/sign-in`, { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"code":"x"}' }),
                page: () => fetch(`${url}/`),
            };
            const found = {};
            for (const [name, attempt] of Object.entries(tries)) found[name] = await attempt().then((answer) => `${answer.type} ${answer.status}`, () => "refused");
            await fetch(`${url}/v1/predictions`, { method: "POST", mode: "no-cors", credentials: "include", headers: { "Content-Type": "text/plain" }, body }).catch(() => undefined);
            return found;
        },
        [server.url, versionOf("noop"), TOKEN],
    );
    assert.deepEqual(outcomes, { "POST with a token": "refused", "GET with a token": "refused", "GET with credentials": "refused", "sign-in": "refused", page: "refused" });
    await attacker.goto(elsewhere.showing(`<!doctype html><form method=post enctype=text/plain action="${server.url}/v1/predictions"><input name='{"version":"${versionOf("noop")}","input":{"text":"' value='"}}'><button>go</button></form>`));
    await Promise.all([attacker.waitForURL(`${server.url}/**`), attacker.getByRole("button", { name: "go" }).click()]);
    assert.equal(await count(), before_count, "something was created");
});

/** The answer to a request with that Host. */
function statusWithHost(host) {
    const { port } = new URL(server.url);
    return new Promise((done, fail) => {
        httpRequest({ host: "127.0.0.1", port, path: "/", headers: { host, accept: "text/html" } }, (response) => {
            response.resume();
            done(response.statusCode);
        }).on("error", fail).end();
    });
}

pageTest("a name of somebody else's that leads to this machine is refused", async (t) => {
    const { port } = new URL(server.url);
    for (const host of [`evil.example:${port}`, `localhost.evil.example:${port}`, `127.0.0.1.evil.example`]) assert.equal(await statusWithHost(host), 421, host);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `mimeo.localhost:${port}`, `[::1]:${port}`]) assert.equal(await statusWithHost(host), 200, host);
    const rebound = await launch({ args: [`--host-resolver-rules=MAP evil.example 127.0.0.1`] });
    t.after(() => rebound.close());
    const page = await rebound.newPage();
    const answer = await page.goto(`http://evil.example:${port}/`);
    assert.equal(answer.status(), 421);
    assert.equal(await page.locator("#root").count(), 0);
    const read = await page.evaluate((token) => fetch("/v1/predictions", { headers: { Authorization: `Bearer ${token}` } }).then((response) => response.status), TOKEN);
    assert.equal(read, 421);
});

pageTest("the token is in no address, cookie, or lasting store, and signing out makes it worthless", async (t) => {
    const page = await visitor(t, browser, server, { signedIn: false });
    const addresses = [], referrers = [];
    page.on("request", (request) => {
        addresses.push(request.url());
        referrers.push(request.headers().referer);
    });
    page.on("framenavigated", (frame) => addresses.push(frame.url()));
    await page.goto(server.command("link", "--url", server.url).match(/http\S+/)[0]);
    await page.waitForURL(`${server.url}/`);
    for (const path of ["/predictions", "/files", "/tokens"]) {
        await page.goto(path);
        await settled(page);
    }
    const { token } = JSON.parse(await page.evaluate(() => sessionStorage.getItem("mimeo-session")));
    assert.match(token, /^r8_/);
    assert.deepEqual(addresses.filter((each) => each.includes(token)), []);
    assert.deepEqual(await page.context().cookies(), []);
    const kept = await page.evaluate(async () => JSON.stringify([{ ...localStorage }, document.cookie, await indexedDB.databases(), await caches.keys(), (await navigator.serviceWorker?.getRegistrations())?.length ?? 0]));
    assert.ok(!kept.includes(token.slice(3)), kept);
    assert.ok(!kept.includes(token), kept);

    assert.equal((await server.call("GET", "/v1/account", { token })).status, 200);
    await page.goto("/tokens");
    await page.getByRole("cell", { name: "Read" }).first().waitFor();
    const tab = await page.context().newPage();
    await tab.goto(`${server.url}/tokens`);
    await tab.getByRole("heading", { level: 1, name: "Tokens" }).waitFor();
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByText("You have signed out.").waitFor();
    await tab.waitForURL("**/sign-in", { timeout: 10_000 * SLOWNESS });
    assert.equal((await server.call("GET", "/v1/account", { token })).status, 401);
    await page.goBack().catch(() => undefined);
    await page.waitForURL("**/sign-in");
    assert.equal(await page.getByRole("cell").count(), 0, "what was shown can be seen again by going back");
    assert.equal(await page.evaluate(() => sessionStorage.getItem("mimeo-session")), null);
});
