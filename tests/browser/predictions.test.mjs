// The list of predictions, the page of one, Compare and Batch: what has run and runs, found, followed, repeated, taken away.
import assert from "node:assert/strict";
import { inflateRawSync } from "node:zlib";
import { after, before } from "node:test";
import { versionOf } from "../api/server.mjs";
import { create, ended } from "./data.mjs";
import { SLOWNESS, downloaded, drop, eventually, launch, pageTest, photo, pixels, settled, startServer, visitor } from "./harness.mjs";

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
const row = (page, id) => main(page).getByRole("row").filter({ hasText: id });
const done = async (name, input, more, headers) => {
    const made = await create(server, versionOf(name), input, more, headers);
    return ended(server, made.id);
};

/** The files of a zip archive: name → bytes. */
function unzip(archive) {
    const files = {};
    const end = archive.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
    assert.ok(end >= 0, "this is no zip archive");
    let at = archive.readUInt32LE(end + 16);
    for (let i = 0; i < archive.readUInt16LE(end + 10); i++) {
        const [method, size, name_length, extra, comment, local] = [archive.readUInt16LE(at + 10), archive.readUInt32LE(at + 20), archive.readUInt16LE(at + 28), archive.readUInt16LE(at + 30), archive.readUInt16LE(at + 32), archive.readUInt32LE(at + 42)];
        const name = archive.toString("utf8", at + 46, at + 46 + name_length);
        const from = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
        const bytes = archive.subarray(from, from + size);
        files[name] = method === 8 ? inflateRawSync(bytes) : bytes;
        at += 46 + name_length + extra + comment;
    }
    return files;
}

pageTest("the list is live; filters are in the address and can be cleared", async (t) => {
    const failed = await done("reports", { text: "x", fail: true });
    const by_api = await done("noop", { text: "by the API" }, {}, { "Mimeo-Source": "" });
    const page = await visitor(t, browser, server);
    await page.goto("/predictions");
    await row(page, failed.id).getByText("failed").waitFor();
    // What begins and ends elsewhere appears and changes by itself.
    const running = await create(server, versionOf("sleep"), { seconds: 100 });
    await row(page, running.id).getByText("processing").waitFor({ timeout: 30_000 * SLOWNESS });
    await server.call("POST", `/v1/predictions/${running.id}/cancel`);
    await row(page, running.id).getByText("canceled").waitFor();

    await main(page).getByLabel("Status").selectOption("failed");
    await row(page, running.id).waitFor({ state: "detached" });
    await row(page, failed.id).waitFor();
    assert.match(page.url(), /status=failed/);
    await page.reload();
    await row(page, failed.id).waitFor();
    assert.equal(await row(page, running.id).count(), 0);
    await main(page).getByRole("button", { name: "Clear filters" }).click();
    await row(page, running.id).waitFor();
    await main(page).getByLabel("Source").selectOption("API");
    await row(page, running.id).waitFor({ state: "detached" });
    await row(page, by_api.id).waitFor();
    await main(page).getByRole("button", { name: "Clear filters" }).click();
    await main(page).getByLabel("Model").selectOption("test/sleep");
    await row(page, failed.id).waitFor({ state: "detached" });
    await row(page, running.id).waitFor();
    await main(page).getByRole("button", { name: "Clear filters" }).click();
    const tomorrow = new Date(Date.now() + 864e5).toISOString().slice(0, 10);
    await main(page).getByLabel("From").fill(tomorrow);
    await main(page).getByText("No predictions match").waitFor();
});

pageTest("many predictions come in pages, forth and back", async (t) => {
    const many = await startServer({ models: "test" });
    t.after(() => many.stop());
    const { json } = await many.call("GET", "/v1/predictions?limit=1");
    assert.deepEqual(json.results, []);
    const ids = [];
    for (let i = 0; i < 130; i += 10) ids.push(...(await Promise.all(Array.from({ length: 10 }, (_, j) => create(many, versionOf("noop"), { text: `number ${i + j}` })))).map((each) => each.id));
    const page = await visitor(t, browser, many);
    await page.goto("/predictions");
    const rows = main(page).getByRole("row");
    await rows.nth(5).waitFor();
    const first = await rows.count();
    const shown = async () => new Set(await main(page).getByRole("row").getByRole("link").evaluateAll((all) => all.map((each) => each.getAttribute("href"))));
    const seen = await shown();
    const pages = page.getByRole("navigation", { name: "Pages" });
    for (let i = 0; i < 10 && (await pages.getByRole("button", { name: "Next" }).isEnabled()); i++) {
        const before_click = [...(await shown())].join();
        await pages.getByRole("button", { name: "Next" }).click();
        await eventually("another page", async () => { const now = [...(await shown())].join(); return now && now !== before_click; });
        await settled(page);
        for (const each of await shown()) seen.add(each);
    }
    assert.equal(seen.size, ids.length, "not every prediction is on some page");
    await pages.getByRole("button", { name: "First page" }).click();
    await eventually("the first page again", async () => (await rows.count()) === first);
});

pageTest("the selected ones' outputs come as one archive, and their data is deleted for good", async (t) => {
    const inputs = [await photo(browser, 40), await photo(browser, 60)];
    const made = [];
    for (const bytes of inputs) made.push(await done("copy_file", { image: `data:image/jpeg;base64,${bytes.toString("base64")}` }));
    const words = await done("noop", { text: "only words" });
    const page = await visitor(t, browser, server);
    await page.goto("/predictions");
    for (const each of [...made, words]) await row(page, each.id).getByRole("checkbox").click();
    await page.getByText("3 selected").waitFor();
    const archive = await downloaded(page, () => page.getByRole("button", { name: "Download outputs" }).click());
    assert.match(archive.name, /\.zip$/);
    const files = unzip(archive.bytes);
    const contents = await Promise.all(made.map(async (each) => Buffer.from(await (await fetch(each.output)).arrayBuffer())));
    for (const content of contents) assert.ok(Object.values(files).some((bytes) => bytes.equals(content)), `an output is not in the archive of ${Object.keys(files)}`);
    assert.equal(new Set(Object.keys(files)).size, Object.keys(files).length);

    await page.getByRole("button", { name: "Delete data" }).click();
    const dialog = page.getByRole("dialog").or(page.getByRole("alertdialog"));
    await dialog.getByText(/3 predictions/).waitFor();
    await dialog.getByRole("button", { name: "Delete data" }).click();
    await page.getByText("Data of 3 predictions deleted.").first().waitFor();
    for (const each of [...made, words]) {
        const { json } = await server.call("GET", `/v1/predictions/${each.id}`);
        assert.deepEqual([json.data_removed, json.output, json.input], [true, null, {}]);
    }
    assert.notEqual((await fetch(made[0].output)).status, 200, "the file is still there");
    await page.goto(`/p/${made[0].id}`);
    await main(page).getByText("The data is gone").waitFor();
});

pageTest("the page of a run that is under way: logs as they come, its stages, its end, without a reload", async (t) => {
    const made = await create(server, versionOf("text_list"), { text: Array.from({ length: 12 }, (_, i) => `word${i}`).join(" "), pause_ms: 300 });
    const page = await visitor(t, browser, server);
    await page.goto(`/p/${made.id}`);
    const logs = main(page).getByRole("region", { name: "Logs" });
    await logs.getByText(/a word of/).first().waitFor();
    const lines = () => logs.innerText().then((text) => text.trim().split("\n").length);
    const first = await lines();
    await eventually("more lines", async () => (await lines()) > first);
    assert.ok(await main(page).getByRole("button", { name: "Cancel the run" }).isVisible(), "it is over already: nothing was live");
    await main(page).getByRole("status").getByText("succeeded").waitFor();
    await eventually("all lines", async () => (await lines()) >= 12);
    await main(page).getByText("word0word1").or(main(page).getByText(/word0 ?word1/)).first().waitFor();
    const timeline = main(page).getByRole("table", { name: "Timeline" });
    for (const stage of ["Running", "In all"]) await timeline.getByText(stage, { exact: true }).waitFor();
    const file = await downloaded(page, () => main(page).getByRole("button", { name: "Download the logs" }).click());
    assert.equal(file.bytes.toString().match(/a word of/g).length, 12);
});

pageTest("a log that floods until it is stopped does not freeze the page", async (t) => {
    const made = await create(server, versionOf("flood"), { events: true }); // at once, up to the 16 MiB that a log may have
    t.after(() => server.call("POST", `/v1/predictions/${made.id}/cancel`));
    const page = await visitor(t, browser, server);
    await page.goto(`/p/${made.id}`);
    await main(page).getByRole("region", { name: "Logs" }).waitFor();
    const slowest = await page.evaluate(async () => {
        let worst = 0;
        for (let i = 0; i < 40; i++) {
            const asked = performance.now();
            await new Promise((resolve) => setTimeout(resolve, 50));
            worst = Math.max(worst, performance.now() - asked - 50);
        }
        return worst;
    });
    t.diagnostic(`the page stood still for ${Math.round(slowest)} ms at most`);
    assert.ok(slowest < 3000 * SLOWNESS, `the page stood still for ${Math.round(slowest)} ms`);
    await main(page).getByText("The model wrote more than 16 MiB of logs and was stopped.").waitFor({ timeout: 30_000 * SLOWNESS });
    await main(page).getByRole("button", { name: "Copy ID" }).click({ timeout: 5000 * SLOWNESS });
});

pageTest("run again, delete now, raw JSON", async (t) => {
    const made = await done("noop", { text: "once more" });
    const page = await visitor(t, browser, server);
    await page.goto(`/p/${made.id}`);
    await main(page).getByRole("button", { name: "Run again" }).click();
    await eventually("another prediction's page", () => /\/p\/\w+$/.test(page.url()) && !page.url().endsWith(made.id));
    await main(page).getByRole("status").getByText("succeeded").waitFor();
    const again = page.url().split("/").pop();
    assert.equal((await server.call("GET", `/v1/predictions/${again}`)).json.input.text, "once more");
    await main(page).getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Raw JSON" }).click();
    assert.equal(JSON.parse(await page.getByRole("dialog").locator("pre").innerText()).id, again);
    await page.keyboard.press("Escape");
    await main(page).getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Delete data now" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete data now" }).click();
    await main(page).getByText("The data is gone").waitFor();
    assert.equal((await server.call("GET", `/v1/predictions/${again}`)).json.data_removed, true);
});

pageTest("compare: one picture through two columns, side by side with times", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/compare");
    const column = (number) => main(page).getByRole("region", { name: `Column ${number}` });
    await column(1).getByRole("combobox", { name: "Model" }).selectOption("test/copy_file");
    await column(2).getByRole("combobox", { name: "Model" }).selectOption("test/copy_file");
    const shared = main(page).getByRole("group", { name: "Picture", exact: true });
    await shared.waitFor();
    await drop(page, shared, { name: "both.jpg", type: "image/jpeg", bytes: await photo(browser, 90) });
    await main(page).getByRole("button", { name: "Run all" }).click();
    for (const number of [1, 2]) {
        await column(number).getByText(/^Ran for/).first().waitFor();
        await eventually(`the picture of column ${number}`, () => column(number).getByRole("img", { name: "Result" }).evaluate((element) => element.complete && element.naturalWidth === 90));
        await column(number).getByRole("link", { name: "Open the prediction" }).waitFor();
    }
    assert.equal(await main(page).getByText("fastest", { exact: true }).count(), 1);
    // Different settings of one model; each keeps its own.
    await column(1).getByRole("combobox", { name: "Model" }).selectOption("test/text_list");
    await column(2).getByRole("combobox", { name: "Model" }).selectOption("test/text_list");
    for (const number of [1, 2]) {
        const settings = column(number).getByRole("button", { name: /^Settings/ });
        if ((await settings.getAttribute("aria-expanded")) === "false") await settings.click();
        const text = column(number).getByRole("textbox", { name: /^Text/ });
        if (await text.count()) await text.fill(`words of ${number}`);
    }
    await main(page).getByRole("button", { name: "Run all" }).click();
    for (const number of [1, 2]) await column(number).getByText(/^Ran for|words ?of/).first().waitFor();
});

pageTest("batch: several files through one model, what fails is told and tried again, all results in one archive", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/batch");
    await main(page).getByRole("combobox", { name: "Function or model" }).selectOption("test/copy_file");
    const bytes = [await photo(browser, 50), await photo(browser, 70), await photo(browser, 80)];
    const input = main(page).locator("input[type=file]").first();
    await input.setInputFiles(bytes.map((buffer, index) => ({ name: `picture-${index}.jpg`, mimeType: "image/jpeg", buffer })));
    await row(page, "picture-2.jpg").waitFor();
    // The second file's create fails the first time.
    let refused = 0;
    await page.route("**/v1/predictions", async (route) => {
        const body = route.request().method() === "POST" ? route.request().postData() : "";
        if (!refused && body.includes(bytes[1].toString("base64").slice(-200))) {
            refused++;
            return route.fulfill({ status: 400, contentType: "application/problem+json", body: JSON.stringify({ title: "Bad", detail: "Refused once by the test.", status: 400 }) });
        }
        return route.fallback();
    });
    page.allow.push(/status of 400/);
    await main(page).getByRole("button", { name: "Run 3 files" }).click();
    await row(page, "picture-0.jpg").getByText("done").waitFor();
    await row(page, "picture-2.jpg").getByText("done").waitFor();
    await row(page, "picture-1.jpg").getByText("Refused once by the test.").waitFor();
    await main(page).getByText("2 of 3 done, 1 failed").first().waitFor();
    await main(page).getByRole("button", { name: "Retry failed" }).click();
    await row(page, "picture-1.jpg").getByText("done").waitFor();
    const archive = await downloaded(page, () => main(page).getByRole("button", { name: "Download all" }).click());
    const files = unzip(archive.bytes);
    assert.equal(Object.keys(files).length, 3);
    const widths = [];
    for (const [name, content] of Object.entries(files)) {
        assert.match(name, /picture-\d/);
        widths.push((await pixels(page, content, [])).width);
    }
    assert.deepEqual([...widths].sort(), [50, 70, 80]);
});
