// Explore and the page of a model: finding, fetching and removing weights (from a hub on this machine), the form and its JSON, examples,
// code that is in step with the form and runs as it stands, versions.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { promisify } from "node:util";
import { versionOf } from "../api/server.mjs";
import { create, ended } from "./data.mjs";
import { TOKEN, eventually, launch, pageTest, root, settled, startServer, visitor } from "./harness.mjs";

const MB = 1_000_000;
const weights = randomBytes(4 * MB);
const folder = mkdtempSync(join(tmpdir(), "mimeo-hub-"));
const hub = { slow: true, asked: [] };
const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const CHANGED = ["a".repeat(64), "b".repeat(64)]; // two versions of a model, of which the newer has one input more

let server, browser;
before(async () => {
    cpSync(join(root, "tests/models"), folder, { recursive: true });
    const manifest = (name, more) => writeFileSync(join(folder, `${name}.yaml`), JSON.stringify({ owner: "test", name, description: `About ${name}.`, visibility: "public", runner: "native", ...more }));
    const version = (id, created_at, more = {}) => ({ id, created_at, cog_version: "0.9.7", ...more });
    manifest("fetched", {
        model: "noop",
        versions: [version(sha256("fetched"), "2024-01-01T00:00:00Z")],
        weights: { licenses: [{ name: "Licence of the test", url: "https://example.com/licence", text: "Be kind." }], variants: [{ source: "hf:test/fetched", path: "w.bin", file: "w.bin", size: weights.length, sha256: sha256(weights) }] },
    });
    const schema = (properties) => ({ input: { type: "object", properties }, output: { type: "string" } });
    manifest("versioned", {
        model: "noop",
        versions: [
            version(CHANGED[1], "2024-06-01T00:00:00Z", { schema: schema({ text: { type: "string", default: "newer" }, mood: { type: "string", enum: ["calm", "loud"], default: "calm" } }) }),
            version(CHANGED[0], "2024-01-01T00:00:00Z", { schema: schema({ text: { type: "string", default: "older" } }) }),
        ],
    });
    hub.server = createServer(answer);
    await new Promise((done) => hub.server.listen(0, "127.0.0.1", done));
    process.env.HF_ENDPOINT = `http://127.0.0.1:${hub.server.address().port}`;
    server = await startServer({ models: "test", manifests: folder });
    browser = await launch();
});
after(async () => {
    await browser?.close();
    await server?.stop();
    hub.server?.close();
    hub.server?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
});

/** The hub: from where it was left, 100 kB each 50 ms while it is slow. */
function answer(request, response) {
    let from = Number(request.headers.range?.match(/bytes=(\d+)-/)?.[1] ?? 0);
    hub.asked.push(from);
    response.writeHead(from ? 206 : 200, { "content-length": weights.length - from, ...(from ? { "content-range": `bytes ${from}-${weights.length - 1}/${weights.length}` } : {}) });
    const timer = setInterval(() => {
        const next = hub.slow ? from + MB / 10 : weights.length;
        response.write(weights.subarray(from, next));
        from = next;
        if (from >= weights.length) {
            clearInterval(timer);
            response.end();
        }
    }, 50);
    response.once("close", () => clearInterval(timer));
}

const main = (page) => page.getByRole("main");
const card = (page, name) => main(page).getByRole("article").filter({ has: page.getByRole("heading", { name, exact: true }) });
const output = (page) => page.getByRole("region", { name: "Output" });
const tab = (page, name) => main(page).getByRole("tab", { name, exact: true });

pageTest("explore: search and categories narrow it down, and stay in the address", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/explore");
    await card(page, "test/noop").waitFor();
    await main(page).getByRole("searchbox").fill("fetched");
    await card(page, "test/noop").waitFor({ state: "detached" });
    assert.equal(await main(page).getByRole("article").count(), 1);
    await eventually("the search is in the address", () => page.url().includes("q=fetched"));
    await page.reload();
    await card(page, "test/fetched").waitFor();
    assert.equal(await main(page).getByRole("article").count(), 1);
    await main(page).getByRole("searchbox").fill("no model is called like this");
    await main(page).getByText("No model fits").waitFor();
    await main(page).getByRole("searchbox").fill("");
    await main(page).getByRole("navigation", { name: "Categories" }).getByRole("link", { name: /^Upscale images/ }).click();
    await card(page, "nightmareai/real-esrgan").waitFor();
    await card(page, "test/noop").waitFor({ state: "detached" });
    await main(page).getByRole("navigation", { name: "Categories" }).getByRole("link", { name: /^All/ }).click();
    await card(page, "test/noop").waitFor();
});

pageTest("weights: licence first, fetched with progress, stopped, resumed where it was, run, removed", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/explore?q=fetched");
    const mine = card(page, "test/fetched");
    await mine.getByText("needs 4 MB").waitFor();
    await mine.getByRole("button", { name: /^Fetch 4 MB/ }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("list", { name: "Licence" }).getByText("Licence of the test", { exact: true }).waitFor();
    await dialog.getByText("Be kind.").waitFor();
    assert.equal(await dialog.getByRole("link", { name: /^Read the licence/ }).getAttribute("href"), "https://example.com/licence");
    const fetch_button = dialog.getByRole("button", { name: /^Fetch/ });
    assert.equal(await fetch_button.isDisabled(), true, "the licence need not be accepted");
    await dialog.getByRole("checkbox", { name: /^I accept/ }).click();
    await fetch_button.click();

    const bar = mine.getByRole("progressbar");
    await bar.waitFor();
    await eventually("the bar moves", async () => Number(await bar.getAttribute("aria-valuenow")) > 5);
    await mine.getByText(/ of 4 MB/).waitFor();
    await mine.getByText(/ [kM]B\/s/).waitFor();
    await mine.getByRole("button", { name: "Stop" }).click();
    const again = mine.getByRole("button", { name: /^Resume/ });
    await again.waitFor();
    await again.click();
    hub.slow = false;
    await dialog.getByRole("checkbox", { name: /^I accept/ }).click();
    await dialog.getByRole("button", { name: "Resume" }).click();
    await mine.getByText("ready").waitFor();
    await mine.getByText("4 MB on disk").waitFor();
    assert.ok(hub.asked.length === 2 && hub.asked[1] > 0, `asked from ${hub.asked}: it was not resumed`);

    await mine.getByRole("link", { name: "test/fetched" }).click();
    await main(page).getByRole("button", { name: "Run", exact: true }).click();
    await output(page).getByText("hello", { exact: true }).waitFor();
    await page.goto("/explore?q=fetched");
    await mine.getByRole("button", { name: "Remove weights" }).click();
    await dialog.getByRole("button", { name: "Remove weights" }).click();
    await mine.getByText("needs 4 MB").waitFor();
    assert.equal((await server.call("GET", "/v1/weights/test/fetched")).json.state, "needs_weights");
});

pageTest("a model whose weights are not here says so in its playground, where Run would be", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/test/unpulled");
    await main(page).getByText("Weights are not here yet").waitFor();
    assert.equal(await main(page).getByRole("button", { name: "Run", exact: true }).count(), 0);
    await main(page).getByRole("list", { name: "Licence" }).getByText("MIT", { exact: true }).waitFor();
    await page.goto("/test/networkless");
    await main(page).getByText(/^This build has no network for this model yet/).waitFor();
});

pageTest("form and JSON are two sides of the same input; what JSON cannot be is said", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/test/captured");
    await main(page).getByRole("textbox", { name: "Prompt" }).fill("a boat");
    await main(page).getByRole("combobox", { name: "Output Format" }).selectOption("png");
    await main(page).getByRole("tab", { name: "JSON" }).click();
    const json = main(page).getByRole("textbox", { name: "Input as JSON" });
    const value = JSON.parse(await json.inputValue());
    assert.deepEqual([value.prompt, value.output_format], ["a boat", "png"]);
    await json.fill("{ not json");
    await main(page).getByText(/^Not valid JSON/).waitFor();
    await json.fill(JSON.stringify({ prompt: "a ship", num_outputs: 3, nonsense: 1 }));
    await main(page).getByText("The model has no such input.").first().waitFor();
    await json.fill(JSON.stringify({ prompt: "a ship", num_outputs: 3 }));
    await main(page).getByRole("tab", { name: "Form" }).click();
    assert.equal(await main(page).getByRole("textbox", { name: "Prompt" }).inputValue(), "a ship");
    assert.equal(await main(page).getByRole("textbox", { name: "Num Outputs", exact: true }).inputValue(), "3");
    // Each wrong field has its own sentence, in one go.
    await main(page).getByRole("textbox", { name: "Prompt" }).fill("");
    await main(page).getByRole("textbox", { name: "Num Outputs", exact: true }).fill("9");
    await main(page).getByRole("textbox", { name: "Name", exact: true }).fill("four");
    await main(page).getByRole("button", { name: "Run", exact: true }).click();
    for (const sentence of ["This must be at most 4.", /^At most 3 characters/]) await main(page).getByText(sentence).first().waitFor();
    await main(page).getByText("This is needed.").first().waitFor();
});

pageTest("the code on the API tab is in step with the form, and the curl sample runs as it stands", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/test/noop");
    await main(page).getByRole("textbox", { name: "Text" }).fill("it's \"quoted\" $HOME `here` \\ é");
    await tab(page, "API").click();
    const code = main(page).getByRole("region", { name: /^Sample for/ });
    for (const language of ["JavaScript", "Python", "Go", "C", "Gateway"]) {
        await tab(page, language).click();
        const sample = await code.first().innerText();
        assert.ok(sample.includes("quoted") && sample.includes(new URL(server.url).host), `${language}:\n${sample}`);
        if (language === "Gateway") assert.ok(sample.includes("/replicate/v1"), sample);
    }
    await tab(page, "curl").click();
    const { stdout } = await promisify(execFile)("bash", ["-c", await code.first().innerText()], { env: { ...process.env, MIMEO_TOKEN: TOKEN } });
    const made = JSON.parse(stdout);
    assert.equal(made.status, "succeeded", stdout);
    assert.equal(made.output, "it's \"quoted\" $HOME `here` \\ é");
    await tab(page, "Playground").click();
    assert.match(await main(page).getByRole("textbox", { name: "Text" }).inputValue(), /quoted/);
    assert.ok(!(await page.content()).includes(TOKEN), "the token stands in the page");
});

pageTest("an example fills the form or runs, in one click", async (t) => {
    const real = await startServer(); // the test runner has none of the models that have examples
    t.after(() => real.stop());
    const page = await visitor(t, browser, real);
    await page.goto("/replicate/hello-world");
    await tab(page, "Examples").click();
    await main(page).getByRole("button", { name: "Fill in the form" }).first().click();
    const text = main(page).getByRole("textbox", { name: /^Text/ });
    await text.waitFor();
    const filled = await text.inputValue();
    assert.ok(filled.length > 0);
    await tab(page, "Examples").click();
    await main(page).getByRole("button", { name: "Run", exact: true }).first().click();
    await output(page).getByText(/^Done in /).waitFor();
    await output(page).getByText(new RegExp(`^hello ${filled}`)).first().waitFor();
});

pageTest("versions: the newest is used, another can be, and what changed between them is told", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/test/versioned");
    assert.equal(await main(page).getByRole("textbox", { name: "Text" }).inputValue(), "newer");
    await main(page).getByRole("combobox", { name: "Mood" }).waitFor();
    await tab(page, "Versions").click();
    const changes = main(page).getByRole("table", { name: "What changed in the inputs" });
    await changes.getByRole("row").filter({ hasText: "mood" }).getByText("added").waitFor();
    await changes.getByRole("row").filter({ hasText: "text" }).getByText("older").waitFor();
    await page.goto(`/test/versioned?version=${CHANGED[0]}`);
    await eventually("the older version's default", async () => (await main(page).getByRole("textbox", { name: "Text" }).inputValue()) === "older");
    assert.equal(await main(page).getByRole("combobox", { name: "Mood" }).count(), 0);
    const [created] = await Promise.all([page.waitForResponse((response) => response.request().method() === "POST"), main(page).getByRole("button", { name: "Run", exact: true }).click()]);
    assert.equal((await created.json()).version, CHANGED[0]);
});

pageTest("tweak it: the form holds the input of an earlier prediction, and a link to it can be shared", async (t) => {
    const made = await create(server, versionOf("text_list"), { text: "some words", pause_ms: 7 });
    await ended(server, made.id);
    const page = await visitor(t, browser, server);
    await page.goto(`/p/${made.id}`);
    await main(page).getByRole("link", { name: "Tweak it" }).click();
    await eventually("its text", async () => (await main(page).getByRole("textbox", { name: /^Text/ }).inputValue()) === "some words");
    assert.equal(await main(page).getByRole("textbox", { name: /^Pause/ }).inputValue(), "7");
    await settled(page);
});
