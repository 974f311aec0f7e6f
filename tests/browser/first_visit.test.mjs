// A newcomer's way in: the link that `mimeo serve` prints, the first picture, and what the first visit costs over the wire.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { build } from "../api/server.mjs";
import { SLOWNESS, WEIGHTS, drop, downloaded, eventually, expectQuiet, launch, openPage, pageTest, photo, pixels, settled, startServer, visitor } from "./harness.mjs";

const FIRST_LOAD_LIMIT = 300_000; // bytes over the wire, as the page promises
const PATH_CLICKS_LIMIT = 3; // the link, and at most two more

let server, browser;
before(async () => {
    server = await startServer();
    browser = await launch();
});
after(async () => {
    await browser?.close();
    await server?.stop();
});

/** A server as a newcomer starts it: no token given, standard output read as they would. */
async function newcomersServer(t) {
    const data = mkdtempSync(join(tmpdir(), "mimeo-newcomer-"));
    const env = { ...process.env };
    delete env.MIMEO_TOKEN;
    const child = spawn(join(build, "mimeo"), ["serve", "--listen", "127.0.0.1:0", "--data", data, "--runner", join(build, "mimeo-runner"), "--weights", WEIGHTS, "--log-level", "warn"], { env, stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise((done) => child.once("exit", done));
    t.after(async () => {
        child.kill("SIGTERM");
        await ended;
        rmSync(data, { recursive: true, force: true });
    });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += chunk));
    const link = await eventually("a sign-in link on standard output", () => printed.match(/sign in at (http\S+#code=\S+)/)?.[1]).catch((error) => assert.fail(`${error.message}; it printed:\n${printed}`));
    return { link, url: new URL(link).origin, data };
}

pageTest("open the printed link, drop a photo, picture out: few clicks, and the code leaves the address", async (t) => {
    const began = Date.now();
    const newcomer = await newcomersServer(t);
    const file = { name: "allium.jpg", type: "image/jpeg", bytes: await photo(browser, 480) };
    const page = await visitor(t, browser, newcomer, { signedIn: false });
    let clicks = 1; // on the link
    const opened = Date.now();
    await page.goto(newcomer.link);
    await page.getByRole("tab", { name: "Remove background" }).waitFor();
    assert.equal(page.url(), `${newcomer.url}/`, "the code stays in the address");
    assert.ok(!(await page.evaluate(() => JSON.stringify(history.state ?? {}))).includes("code"), "the code stays in the history");
    await drop(page, page.getByRole("tabpanel").getByRole("group").first(), file);
    const result = page.getByRole("tabpanel").getByRole("link", { name: "Download" });
    const run = page.getByRole("tabpanel").getByRole("button", { name: "Remove the background" });
    await run.or(result).first().waitFor();
    if (await run.isVisible()) {
        await run.click();
        clicks++;
    }
    await result.waitFor({ timeout: 60_000 * SLOWNESS });
    const out = Date.now();
    const { bytes } = await downloaded(page, () => result.click());
    clicks++;
    const { width, pixels: corner } = await pixels(page, bytes, [[2, 2]]);
    assert.equal(width, 480);
    assert.equal(corner[0][3], 0, "the background is still there");
    t.diagnostic(`a newcomer's path: ${clicks} clicks (link, run, download), ${((out - opened) / 1000).toFixed(1)} s from the link to the picture, ${((out - began) / 1000).toFixed(1)} s from starting the server`);
    assert.ok(clicks <= PATH_CLICKS_LIMIT, `${clicks} clicks`);
});

pageTest("a link works once: the second time a sentence says why not and how to get another", async (t) => {
    const link = server.command("link", "--url", server.url).match(/http\S+/)[0];
    const first = await visitor(t, browser, server, { signedIn: false });
    await first.goto(link);
    await first.waitForURL(`${server.url}/`);
    await first.getByRole("button", { name: "Account" }).waitFor();
    const second = await visitor(t, browser, server, { signedIn: false, allow: [/status of 403/] });
    await second.goto(link);
    await second.getByRole("alert").filter({ hasText: "This link no longer works" }).waitFor();
    assert.equal(new URL(second.url()).hash, "");
    assert.equal(new URL(second.url()).pathname, "/sign-in");
    await second.getByText("mimeo link", { exact: true }).waitFor();
});

pageTest("a wrong token is refused with a sentence, the right one comes back to where one wanted to be", async (t) => {
    const page = await visitor(t, browser, server, { signedIn: false, allow: [/status of 401/] });
    await page.goto("/usage");
    await page.waitForURL("**/sign-in");
    const token = page.getByLabel("Token", { exact: true });
    await token.fill("r8_wrongwrongwrongwrongwrongwrongwrong0001");
    await token.press("Enter");
    await page.getByRole("alert").filter({ hasText: "does not know this token" }).waitFor();
    const { json } = await server.call("POST", "/v1/account/tokens", { body: { name: "typed in" } });
    await token.fill(json.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/usage");
    await page.getByRole("heading", { level: 1, name: "Usage" }).waitFor();
});

pageTest("another tab of the same browser is signed in too; another browser is not", async (t) => {
    const first = await visitor(t, browser, server, { signedIn: false });
    await first.goto(server.command("link", "--url", server.url).match(/http\S+/)[0]);
    await first.waitForURL(`${server.url}/`);
    const tab = await first.context().newPage();
    await tab.goto(`${server.url}/files`);
    await tab.getByRole("heading", { level: 1, name: "Files" }).waitFor();
    const stranger = await visitor(t, browser, server, { signedIn: false });
    await stranger.goto("/files");
    await stranger.waitForURL("**/sign-in");
});

/** Load "/" and tell what came over the wire: path → {bytes, cached, status}. */
async function wire(page) {
    const network = await page.context().newCDPSession(page);
    await network.send("Network.enable");
    const answers = new Map();
    network.on("Network.responseReceived", ({ requestId, response }) => answers.set(requestId, { path: new URL(response.url).pathname, status: response.status, cached: response.fromDiskCache || response.fromPrefetchCache, headers: response.headers, bytes: 0 }));
    network.on("Network.requestServedFromCache", ({ requestId }) => answers.set(requestId, { ...answers.get(requestId), memory: true }));
    network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => answers.has(requestId) && (answers.get(requestId).bytes = encodedDataLength));
    await page.goto("/");
    await settled(page);
    await page.waitForLoadState("networkidle");
    await network.detach();
    return [...answers.values()].filter((each) => each.path);
}

pageTest("the first load is small, its files are kept for good, and the second asks only whether the page is still the same", async (t) => {
    const page = await visitor(t, browser, server);
    const first = await wire(page);
    const bytes = first.reduce((sum, each) => sum + each.bytes, 0);
    t.diagnostic(`first load of /: ${bytes} bytes in ${first.length} answers: ${first.map((each) => `${each.path} ${each.bytes}`).join(", ")}`);
    assert.ok(bytes < FIRST_LOAD_LIMIT, `${bytes} bytes`);
    const assets = first.filter((each) => each.path.startsWith("/assets/"));
    assert.ok(assets.length > 0);
    for (const asset of assets) {
        const headers = Object.fromEntries(Object.entries(asset.headers).map(([name, value]) => [name.toLowerCase(), value]));
        assert.match(headers["cache-control"], /max-age=31536000, immutable/, asset.path);
        if (/\.(js|css|svg)$/.test(asset.path)) assert.match(headers["content-encoding"] ?? "", /^(br|gzip)$/, asset.path);
    }
    const etag = (await server.call("GET", "/", { headers: { accept: "text/html" } })).headers.get("etag");
    assert.equal((await server.call("GET", "/", { headers: { accept: "text/html", "if-none-match": etag } })).status, 304);

    const again = await wire(page);
    const fetched = again.filter((each) => each.path.startsWith("/assets/") && !each.cached && !each.memory && each.bytes > 0);
    assert.deepEqual(fetched.map((each) => each.path), [], "assets that were fetched again");
    const again_bytes = again.filter((each) => !/^\/(v1|api)(\/|$)/.test(each.path)).reduce((sum, each) => sum + each.bytes, 0);
    t.diagnostic(`second load of /: ${again_bytes} bytes of the page's own: ${again.filter((each) => each.bytes > 0).map((each) => `${each.path} ${each.status} ${each.bytes}`).join(", ")}`);
    assert.ok(again_bytes < 3000, `${again_bytes} bytes`);
});

pageTest("the page runs in a build's binary with nothing beside it: no request leaves it, nothing violates its policy", async () => {
    const page = await openPage(browser, server);
    await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
    await page.goto("/");
    await settled(page);
    expectQuiet(page);
    await page.context().close();
});
