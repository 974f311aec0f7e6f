// Tokens, files, webhooks, deployments, usage and operations: what each page is for, done in it and seen at the API.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { versionOf } from "../api/server.mjs";
import { create, ended, receiver, upload } from "./data.mjs";
import { SLOWNESS, downloaded, drop, eventually, launch, pageTest, photo, settled, startServer, visitor } from "./harness.mjs";

let server, browser, hooks;
before(async () => {
    server = await startServer({ models: "test", allowPrivate: true });
    browser = await launch();
    hooks = await receiver();
});
after(async () => {
    await browser?.close();
    await server?.stop();
    hooks?.close();
});

const main = (page) => page.getByRole("main");
const rowWith = (page, text) => main(page).getByRole("row").filter({ hasText: text });
const dialog = (page) => page.getByRole("dialog").or(page.getByRole("alertdialog"));
const clipboard = { permissions: ["clipboard-read", "clipboard-write"] };

pageTest("tokens: made with what it may do and its limits, shown once, used, revoked", async (t) => {
    const page = await visitor(t, browser, server, { context_options: clipboard });
    await page.goto("/tokens");
    await page.getByRole("button", { name: "New token" }).click();
    await dialog(page).getByRole("button", { name: "Create" }).click();
    await dialog(page).getByText("Give it a name.").waitFor();
    await dialog(page).getByLabel("Name").fill("for the website");
    await dialog(page).getByRole("checkbox", { name: "Run" }).click(); // off: reading is left
    await dialog(page).getByLabel("Runs a minute").fill("30");
    await dialog(page).getByLabel("Runs a day").fill("1000");
    await dialog(page).getByRole("combobox", { name: "Expires" }).selectOption("In 7 days");
    await dialog(page).getByRole("button", { name: "Create" }).click();
    const shown = dialog(page).getByText(/^r8_\w{37,}$/);
    await shown.waitFor();
    const token = await shown.innerText();
    await page.keyboard.press("Escape"); // it must not be lost by a slip
    assert.ok(await shown.isVisible());
    await dialog(page).getByRole("button", { name: "Copy the token" }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);
    await dialog(page).getByRole("button", { name: "I have copied it" }).click();
    await dialog(page).waitFor({ state: "detached" });

    const row = rowWith(page, "for the website");
    await row.getByText("30 runs a minute").waitFor();
    await row.getByText("1,000 runs a day").waitFor();
    await page.reload();
    await row.waitFor();
    assert.ok(!(await page.locator("body").innerText()).includes(token), "the token is shown again");
    assert.equal((await server.call("GET", "/v1/predictions", { token })).status, 200);
    assert.equal((await server.call("POST", "/v1/predictions", { token, body: { version: versionOf("noop"), input: {} } })).status, 403);
    await row.getByRole("button", { name: "Revoke for the website" }).click();
    await dialog(page).getByRole("button", { name: "Revoke" }).click();
    await row.waitFor({ state: "detached" });
    assert.equal((await server.call("GET", "/v1/predictions", { token })).status, 401);
});

pageTest("what a token may not do is not offered to it", async (t) => {
    const { json } = await server.call("POST", "/v1/account/tokens", { body: { name: "reader", scopes: ["read"] } });
    const file = await upload(server, Buffer.from("kept"), "kept.txt", "text/plain");
    const done = await create(server, versionOf("noop"), { text: "seen" });
    await ended(server, done.id);
    await server.call("POST", "/v1/deployments", { body: { name: "kept", model: "test/noop", version: versionOf("noop"), hardware: "cpu", min_instances: 0, max_instances: 1 } });
    // No 403 in the console either: what is not allowed is not even asked for.
    const page = await visitor(t, browser, server, { token: json.token });
    await page.goto("/predictions");
    const navigation = page.getByRole("navigation", { name: "Main navigation" });
    await navigation.getByRole("link", { name: "Predictions" }).waitFor();
    for (const name of ["Create", "Compare", "Batch", "Tokens", "Operations"]) assert.equal(await navigation.getByRole("link", { name, exact: true }).count(), 0, name);
    await rowWith(page, done.id).getByRole("checkbox").click();
    assert.equal(await page.getByRole("button", { name: "Delete data" }).count(), 0);
    const offered = {};
    for (const [path, ready] of Object.entries({ [`/p/${done.id}`]: done.id, "/files": file.name, "/deployments": "kept", "/webhooks": "Deliveries", "/test/noop": "A model for tests.", "/usage": "noop", "/explore": "test/noop", "/settings": "Settings" })) {
        await page.goto(path);
        await settled(page);
        await main(page).getByText(ready).first().waitFor();
        offered[path] = (await main(page).getByRole("button").or(main(page).getByRole("link")).evaluateAll((all) => all.map((each) => each.getAttribute("aria-label") ?? each.textContent.trim()))).filter((name) => /^(Run|Run again|Tweak it|Delete|Revoke|New |Change |Choose files|Make a new one|Send again|Fetch|Load$|Unload|Cancel)/.test(name));
    }
    assert.deepEqual(Object.entries(offered).filter(([, names]) => names.length), []);
    await page.goto("/tokens");
    await settled(page);
    assert.equal(await page.getByRole("button", { name: "New token" }).count(), 0);
});

pageTest("files: uploaded by choosing and dropping, their address copied, downloaded, deleted", async (t) => {
    const page = await visitor(t, browser, server, { context_options: clipboard });
    await page.goto("/files");
    await settled(page);
    const picture = await photo(browser, 120);
    await main(page).locator("input[type=file]").setInputFiles([{ name: "one.txt", mimeType: "text/plain", buffer: Buffer.from("first file") }, { name: "two.jpg", mimeType: "image/jpeg", buffer: picture }]);
    await rowWith(page, "one.txt").waitFor();
    await rowWith(page, "two.jpg").waitFor();
    await eventually("a small picture of it", () => rowWith(page, "two.jpg").locator("img").evaluateAll((all) => all.some((each) => each.naturalWidth === 120)));
    await drop(page, main(page).getByText("Drop files here to upload them"), { name: "three.txt", type: "text/plain", bytes: Buffer.from("third") });
    await rowWith(page, "three.txt").waitFor();
    await rowWith(page, "two.jpg").getByRole("button", { name: "Copy the URL of two.jpg" }).click();
    const url = await page.evaluate(() => navigator.clipboard.readText());
    const { json } = await server.call("GET", new URL(url).pathname);
    assert.deepEqual([json.name, json.size], ["two.jpg", picture.length]);
    const file = await downloaded(page, () => rowWith(page, "one.txt").getByRole("button", { name: "Download one.txt" }).click());
    assert.deepEqual([file.name, file.bytes.toString()], ["one.txt", "first file"]);
    await rowWith(page, "two.jpg").getByRole("button", { name: "Delete two.jpg" }).click();
    await dialog(page).getByRole("button", { name: "Delete two.jpg" }).click();
    await rowWith(page, "two.jpg").waitFor({ state: "detached" });
    assert.equal((await server.call("GET", new URL(url).pathname)).status, 404);
});

pageTest("webhooks: the delivery is listed, sent again, and seen on the prediction's page; the secret only when asked for", async (t) => {
    const made = await create(server, versionOf("noop"), { text: "told" }, { webhook: hooks.url, webhook_events_filter: ["completed"] });
    await ended(server, made.id);
    const page = await visitor(t, browser, server);
    const secrets = [];
    page.on("request", (request) => request.url().includes("secret") && secrets.push(request.url()));
    await page.goto("/webhooks");
    const row = rowWith(page, made.id);
    await eventually("it is delivered", async () => /delivered/.test(await row.innerText().catch(() => "")));
    await row.getByText(hooks.url).waitFor();
    assert.match(await row.innerText(), /200/);
    await row.getByRole("button", { name: /^Send again/ }).click();
    const ends = () => hooks.received.filter((each) => each.id === made.id && each.status === "succeeded").length;
    await eventually("the receiver gets it again", () => ends() === 2);
    assert.deepEqual(secrets, []);
    const { json } = await server.call("GET", "/v1/webhooks/default/secret");
    assert.equal(await page.getByText(json.key).count(), 0);
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.getByText(json.key).waitFor();
    await page.getByRole("button", { name: "Hide", exact: true }).click();
    await page.getByText(json.key).waitFor({ state: "detached" });

    await page.goto(`/p/${made.id}`);
    await main(page).getByRole("region", { name: "Deliveries" }).getByText(hooks.url).first().waitFor();
    await main(page).getByRole("button", { name: /^Send again/ }).first().waitFor();
});

pageTest("deployments: made, called as the page says, changed, deleted", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/deployments");
    await page.getByRole("button", { name: "New deployment" }).click();
    await dialog(page).getByLabel("Name").fill("not a name!");
    await dialog(page).getByRole("button", { name: "Create" }).click();
    await dialog(page).getByText(/^Only letters, digits/).waitFor();
    await dialog(page).getByText("Choose a model.").waitFor();
    await dialog(page).getByLabel("Name").fill("echo");
    await dialog(page).getByLabel("Model").selectOption("test/noop");
    await dialog(page).getByRole("button", { name: "Create" }).click();
    await main(page).getByRole("heading", { name: "local/echo" }).waitFor();
    const made = await server.call("GET", "/v1/deployments/local/echo");
    assert.deepEqual([made.status, made.json.current_release.model], [200, "test/noop"]);

    await page.getByRole("button", { name: "How to call it: echo" }).click();
    const command = await dialog(page).getByRole("region").innerText();
    assert.ok(command.includes(`${server.url}/v1/deployments/local/echo/predictions`), command);
    await page.keyboard.press("Escape");

    await page.getByRole("button", { name: "Change echo" }).click();
    await dialog(page).getByLabel("At most").fill("3");
    await dialog(page).getByRole("button", { name: "Save" }).click();
    await dialog(page).waitFor({ state: "detached" });
    await eventually("the change is kept", async () => (await server.call("GET", "/v1/deployments/local/echo")).json.current_release.configuration.max_instances === 3);
    await main(page).getByRole("listitem").filter({ hasText: "local/echo" }).getByText("0 to 3").waitFor();
    await page.getByRole("button", { name: "Delete echo" }).click();
    await dialog(page).getByRole("button", { name: "Delete" }).click();
    await main(page).getByRole("heading", { name: "local/echo" }).waitFor({ state: "detached" });
    assert.equal((await server.call("GET", "/v1/deployments/local/echo")).status, 404);
});

/** A CSV's rows as objects (RFC 4180). */
function rowsOf(csv) {
    const rows = [[]];
    let cell = "", quoted = false;
    const text = csv.replace(/^\uFEFF/, "");
    for (let i = 0; i < text.length; i++) {
        const letter = text[i];
        if (quoted && letter === '"' && text[i + 1] === '"') cell += text[++i];
        else if (letter === '"') quoted = !quoted;
        else if (!quoted && letter === ",") { rows.at(-1).push(cell); cell = ""; }
        else if (!quoted && letter === "\n") { rows.at(-1).push(cell.replace(/\r$/, "")); cell = ""; rows.push([]); }
        else cell += letter;
    }
    if (cell || rows.at(-1).length) rows.at(-1).push(cell);
    const [names, ...values] = rows.filter((row) => row.length);
    return values.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]])));
}

pageTest("usage: numbers by model and token, and all rows as CSV, agree with what ran", async (t) => {
    for (let i = 0; i < 2; i++) await ended(server, (await create(server, versionOf("file_list"), { count: 2 })).id);
    await ended(server, (await create(server, versionOf("reports"), { text: "x", fail: true })).id);
    const page = await visitor(t, browser, server);
    await page.goto("/usage");
    const by_model = main(page).getByRole("table", { name: "By model" });
    const row = by_model.getByRole("row").filter({ hasText: "test/file_list" });
    await eventually("two runs of file_list", async () => {
        const cells = await row.getByRole("cell").allInnerTexts().catch(() => []);
        return cells[0]?.trim() === "2";
    });
    await main(page).getByRole("table", { name: "By token" }).getByText("MIMEO_TOKEN").waitFor();
    const file = await downloaded(page, () => page.getByRole("button", { name: "Download CSV" }).click());
    assert.match(file.name, /^mimeo-usage-\d{4}-\d{2}-\d{2}-\d{4}-\d{2}-\d{2}\.csv$/);
    const rows = rowsOf(file.bytes.toString("utf8"));
    const sum = (model, field) => rows.filter((each) => each.model === model).reduce((total, each) => total + Number(each[field]), 0);
    assert.deepEqual([sum("test/file_list", "runs"), sum("test/file_list", "succeeded"), sum("test/reports", "failed")], [2, 2, 1]);
    assert.ok(rows.every((each) => /^\d{4}-\d{2}-\d{2}$/.test(each.day)));
});

pageTest("operations: load and unload, what runs and waits, graphs with the points of both spans", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/operations");
    await page.getByRole("combobox", { name: "Load a model" }).selectOption("test/trainable");
    await page.getByRole("button", { name: "Load", exact: true }).click();
    const table = main(page).getByRole("table", { name: "Models in memory" });
    const row = table.getByRole("row").filter({ hasText: "test/trainable" });
    await row.getByText("idle").waitFor();
    await row.getByRole("button", { name: "Unload test/trainable" }).click();
    await row.waitFor({ state: "detached" });
    const { json } = await server.call("GET", "/v1/operations");
    assert.deepEqual(json.runners.filter((each) => each.model === "test/trainable"), []);

    const long = await create(server, versionOf("sleep"), { seconds: 100 });
    const waiting = await create(server, versionOf("sleep"), { seconds: 100 });
    t.after(() => Promise.all([long, waiting].map((each) => server.call("POST", `/v1/predictions/${each.id}/cancel`))));
    await table.getByRole("row").filter({ hasText: "test/sleep" }).filter({ hasText: "running" }).first().waitFor();

    const requests = main(page).getByRole("figure", { name: "Requests a minute" });
    for (const span of ["1 day", "2 hours"]) {
        await page.getByRole("button", { name: span }).click();
        await requests.getByText("As a table").click();
        await eventually(`points over ${span}`, async () => (await requests.getByRole("row").count()) >= 2, 30_000);
        await requests.getByText("As a table").click();
    }
    const cursor = requests.getByRole("slider");
    await cursor.focus();
    await page.keyboard.press("End");
    await eventually("the newest point is told", async () => /\d/.test((await cursor.getAttribute("aria-valuetext")) ?? ""));
});

pageTest("an empty server says what to do on every page", async (t) => {
    const empty = await startServer({ models: "test" });
    t.after(() => empty.stop());
    const page = await visitor(t, browser, empty);
    for (const [path, text] of Object.entries({ "/predictions": "No predictions yet", "/files": "No files", "/deployments": "No deployment yet", "/webhooks": "No deliveries yet", "/usage": "Nothing ran in these days", "/p/nosuchprediction0000000000": "There is no such prediction", "/nobody/nothing": "There is no such model here" })) {
        page.allow.push(/status of 404/);
        await page.goto(path);
        await main(page).getByText(text).first().waitFor({ timeout: 15_000 * SLOWNESS });
    }
});

pageTest("settings: what the session may do, and the description of the API it points at", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/settings");
    await main(page).getByText("read, run, manage, operate").waitFor();
    const link = await main(page).getByRole("link", { name: /Description of the API/ }).getAttribute("href");
    const { json } = await server.call("GET", new URL(link, server.url).pathname);
    assert.match(json.openapi, /^3\./);
    await main(page).getByText(`${server.url}/v1`, { exact: true }).waitFor();
});
