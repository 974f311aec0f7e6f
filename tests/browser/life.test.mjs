// Runs in real life: canceled, refused, reloaded in the middle, in two windows, with a server that dies, links that end, a slow network.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { versionOf } from "../api/server.mjs";
import { create, ended } from "./data.mjs";
import { SLOWNESS, downloaded, drop, eventually, launch, pageTest, photo, pixels, startServer, visitor } from "./harness.mjs";

const LONG_S = "120"; // longer than any test waits
let server, browser;
before(async () => {
    server = await startServer({ models: "test" });
    browser = await launch();
});
after(async () => {
    await browser?.close();
    await server?.stop();
});

const main = (page) => page.getByRole("main");
const output = (page) => page.getByRole("region", { name: "Output" });
const doneLine = (page) => output(page).getByText(/^Done in /);
const runButton = (page) => main(page).getByRole("button", { name: "Run", exact: true });
const statusOf = async (id) => (await server.call("GET", `/v1/predictions/${id}`)).json.status;

/** Start the test model that sleeps; the prediction's id. */
async function sleepFor(page, seconds, { go = () => runButton(page).click() } = {}) {
    await page.goto("/test/sleep");
    await main(page).getByRole("textbox", { name: "Seconds" }).fill(seconds);
    const [created] = await Promise.all([page.waitForResponse((response) => response.request().method() === "POST" && response.url().endsWith("/v1/predictions")), go()]);
    assert.equal(created.status(), 201);
    return (await created.json()).id;
}

pageTest("a run shows its steps and is canceled by the button, and by Escape", async (t) => {
    const page = await visitor(t, browser, server);
    for (const stop of [() => output(page).getByRole("button", { name: "Cancel" }).click(), () => page.keyboard.press("Escape")]) {
        const id = await sleepFor(page, LONG_S);
        await output(page).getByText(/^Step \d+ of \d+$/).waitFor();
        const bar = output(page).getByRole("progressbar");
        const first = Number(await bar.getAttribute("aria-valuenow"));
        await eventually("the bar moves", async () => Number(await bar.getAttribute("aria-valuenow")) > first);
        await stop();
        await output(page).getByText("Canceled", { exact: true }).waitFor();
        assert.equal(await statusOf(id), "canceled");
        await eventually("it can be run again", () => runButton(page).isEnabled());
    }
});

pageTest("a cancel while the answer to the create is still on its way cancels what the server has made", async (t) => {
    const page = await visitor(t, browser, server);
    let made, letGo;
    const held = new Promise((resolve) => { letGo = resolve; });
    const taken = new Promise((resolve) => {
        void page.route("**/v1/predictions", async (route) => {
            if (route.request().method() !== "POST") return route.continue();
            const answer = await route.fetch();
            made = (await answer.json()).id;
            resolve();
            await held;
            await route.fulfill({ response: answer }).catch(() => undefined); // the page may have given up waiting for it
        });
    });
    await page.goto("/test/sleep");
    await main(page).getByRole("textbox", { name: "Seconds" }).fill(LONG_S);
    await runButton(page).click();
    await taken;
    await page.keyboard.press("Escape");
    letGo();
    await eventually("it is canceled", async () => (await statusOf(made)) === "canceled");
    await eventually("it can be run again", () => runButton(page).isEnabled());
});

pageTest("what waits says so, and in which place", async (t) => {
    const page = await visitor(t, browser, server);
    const others = [];
    const cancelOthers = () => Promise.all(others.map((other) => server.call("POST", `/v1/predictions/${other}/cancel`)));
    t.after(cancelOthers);
    for (let i = 0; i < 3; i++) others.push((await create(server, versionOf("sleep"), { seconds: 100 })).id);
    const id = await sleepFor(page, "0.1");
    await output(page).getByText(/^Queued: (next in line|place \d+ in line)$/).first().waitFor();
    await cancelOthers();
    await doneLine(page).waitFor();
    assert.equal(await statusOf(id), "succeeded");
});

pageTest("loading a model is told apart from running it", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/test/slow_load");
    await runButton(page).click();
    await output(page).getByText("Loading the model").first().waitFor();
    await doneLine(page).waitFor();
    await output(page).getByText("hello", { exact: true }).waitFor();
});

pageTest("the sentence of a run that failed is shown", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/test/reports");
    await main(page).getByRole("textbox", { name: /Text/ }).fill("some text");
    await main(page).getByRole("switch", { name: "Fail" }).click();
    await runButton(page).click();
    await output(page).getByRole("alert").getByText("It was told to fail.").waitFor();
});

pageTest("what is wrong is said at its field before anything is sent, with the focus there", async (t) => {
    const page = await visitor(t, browser, server);
    let creates = 0;
    page.on("request", (request) => (creates += request.method() === "POST" ? 1 : 0));
    await page.goto("/test/sleep");
    const seconds = main(page).getByRole("textbox", { name: "Seconds" });
    await seconds.fill("601");
    await runButton(page).click();
    await main(page).getByText("This must be at most 600.").waitFor();
    assert.equal(await seconds.getAttribute("aria-invalid"), "true");
    await eventually("the focus is on the field", () => seconds.evaluate((element) => document.activeElement === element));
    const described = await seconds.getAttribute("aria-describedby");
    assert.match(await page.locator(described.split(" ").map((id) => `[id="${id}"]`).join(",")).allInnerTexts().then((all) => all.join(" ")), /at most 600/);
    assert.equal(creates, 0);
    await seconds.fill("0.1");
    await main(page).getByText("This must be at most 600.").waitFor({ state: "detached" });
    await runButton(page).click();
    await doneLine(page).waitFor();
});

pageTest("a 422 that only the server finds stands at its field too", async (t) => {
    const page = await visitor(t, browser, server, { allow: [/status of 422/] });
    // A page that still has an older schema: without the limit that the server has.
    await page.route(/\/v1\/models\/test\/sleep/, async (route) => {
        const response = await route.fetch();
        const text = await response.text();
        await route.fulfill({ response, body: text.replaceAll('"maximum":600', '"maximum":6000') });
    });
    await page.goto("/test/sleep");
    const seconds = main(page).getByRole("textbox", { name: "Seconds" });
    await seconds.fill("700");
    const [refused] = await Promise.all([page.waitForResponse((response) => response.request().method() === "POST"), runButton(page).click()]);
    assert.equal(refused.status(), 422);
    await eventually("the field is marked", async () => (await seconds.getAttribute("aria-invalid")) === "true");
    const described = await seconds.getAttribute("aria-describedby");
    const said = await page.locator(described.split(" ").map((id) => `[id="${id}"]`).join(",")).allInnerTexts();
    assert.match(said.join(" "), /600/, "what the server says is not at the field");
});

pageTest("a reload in the middle goes on with the run and shows its end", async (t) => {
    const page = await visitor(t, browser, server);
    const id = await sleepFor(page, "4");
    await output(page).getByText(/^Step \d+ of 400$/).waitFor();
    await page.reload();
    await output(page).getByText(/^Step \d+ of 400$/).waitFor();
    await doneLine(page).waitFor({ timeout: 20_000 * SLOWNESS });
    await output(page).getByText("slept", { exact: true }).waitFor();
    assert.equal(await statusOf(id), "succeeded");
    const { json } = await server.call("GET", "/v1/predictions?model=test/sleep&status=starting,processing");
    assert.deepEqual(json.results, [], "the reload has made another run");
});

pageTest("two windows with different runs do not disturb each other, even after a reload", async (t) => {
    const first = await visitor(t, browser, server);
    const second = await first.context().newPage();
    second.problems = [];
    for (const [page, text] of [[first, "one"], [second, "two"]]) {
        await page.goto(`${server.url}/test/text_list`);
        await main(page).getByRole("textbox", { name: /^Text/ }).fill(`${text} words are here to be said`);
        await main(page).getByRole("textbox", { name: /Pause/ }).fill("250");
    }
    await Promise.all([runButton(first).click(), runButton(second).click()]);
    await second.reload();
    for (const [page, text] of [[first, "one"], [second, "two"]]) {
        await doneLine(page).waitFor();
        await output(page).getByText(new RegExp(`^${text} ?words`)).waitFor();
    }
});

pageTest("a server that is killed in the middle and comes back: the page says so, goes on, and shows the end", async (t) => {
    let mortal = await startServer({ models: "test" });
    const page = await visitor(t, browser, mortal, { allow: [/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED/] });
    t.after(() => mortal.stop()); // after the page is closed
    await page.goto("/test/sleep");
    await main(page).getByRole("textbox", { name: "Seconds" }).fill("3");
    await runButton(page).click();
    await output(page).getByText(/^Step \d+ of 300$/).waitFor();
    const { port } = new URL(mortal.url);
    mortal.process.kill("SIGKILL");
    await mortal.ended;
    await page.getByText("The server does not answer. It is asked again until it does.").first().waitFor();
    mortal = await startServer({ models: "test", data: mortal.data, args: ["--listen", `127.0.0.1:${port}`] });
    await doneLine(page).waitFor({ timeout: 40_000 * SLOWNESS });
    await output(page).getByText("slept", { exact: true }).waitFor();
    await eventually("it no longer says that the server is away", async () => (await page.getByText("The server does not answer.").count()) === 0);
});

pageTest("the links of results end; the page shows and downloads them all the same", async (t) => {
    const short = await startServer({ models: "test", args: ["--link-lifetime", "4"] });
    const page = await visitor(t, browser, short, { allow: [/status of (403|404)/] });
    t.after(() => short.stop()); // after the page is closed
    const bytes = await photo(browser, 80);
    const made = await ended(short, (await create(short, versionOf("copy_file"), { image: `data:image/jpeg;base64,${bytes.toString("base64")}` })).id);
    const isOver = async (link) => (await fetch(link)).status !== 200;
    await eventually("the link ends", () => isOver(made.output));
    await page.goto(`/p/${made.id}`);
    const image = page.getByRole("img", { name: "Result" });
    const isShown = () => image.evaluate((element) => element.complete && element.naturalWidth === 80);
    await eventually("the picture is shown", isShown);
    // It stays open until the link that it shows now is over, too.
    const link = new URL(await page.getByRole("link", { name: "Download" }).getAttribute("href"), short.url).href;
    await eventually("that link ends as well", async () => link.startsWith("blob:") || isOver(link));
    const file = await downloaded(page, () => page.getByRole("link", { name: "Download" }).click());
    assert.ok((await pixels(page, file.bytes, [])).width === 80, "the download is no picture");
    await page.reload();
    await eventually("the picture is shown again", isShown);
});

pageTest("over a slow network it loads, shows how far the upload is, and runs", async (t) => {
    const page = await visitor(t, browser, server);
    const network = await page.context().newCDPSession(page);
    await network.send("Network.enable");
    await network.send("Network.emulateNetworkConditions", { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 }); // slow 3G
    await page.goto("/test/copy_file", { timeout: 60_000 * SLOWNESS });
    const group = main(page).getByRole("group", { name: "Image", exact: true });
    await group.waitFor({ timeout: 60_000 * SLOWNESS });
    await network.send("Network.emulateNetworkConditions", { offline: false, latency: 400, downloadThroughput: 200_000, uploadThroughput: 200_000 });
    const bytes = await photo(browser, 2200); // some 400 kB
    assert.ok(bytes.length > 300_000);
    await drop(page, group, { name: "large.jpg", type: "image/jpeg", bytes });
    await runButton(page).click();
    await output(page).getByText(/^Sending/).first().waitFor();
    await doneLine(page).waitFor({ timeout: 60_000 * SLOWNESS });
    await eventually("the result is shown", () => output(page).getByRole("img", { name: "Result" }).evaluate((element) => element.complete && element.naturalWidth === 2200), 40_000);
});

pageTest("429: it says how long to wait", async (t) => {
    const { json } = await server.call("POST", "/v1/account/tokens", { body: { name: "slow", creates_per_minute: 1 } });
    const page = await visitor(t, browser, server, { token: json.token, allow: [/status of 429/] });
    await page.goto("/test/noop");
    await runButton(page).click();
    await doneLine(page).waitFor();
    await runButton(page).click(); // whether the page waits by itself or gives up: it must say what is the matter
    await output(page).getByText(/Too many runs for now.*\d+/).first().waitFor();
});
