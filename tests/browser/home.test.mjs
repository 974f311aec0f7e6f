// The start page against real models: every tab that has weights, from a picture given in each way to the file downloaded.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { fileHost } from "../api/server.mjs";
import { SLOWNESS, drop, downloaded, eventually, launch, makingOf, pageTest, paste, photo, pixels, startServer, visitor } from "./harness.mjs";

const RUN_MS = 60_000 * SLOWNESS; // a run of seconds, on a machine that does other things
const FLOWER = [0.5, 0.57]; // a place within the flower, as parts of the photo's width and height

let server, browser, picture, small;
before(async () => {
    server = await startServer({ allowPrivate: true, pictureMetadata: true });
    browser = await launch();
    picture = { name: "allium.jpg", type: "image/jpeg", bytes: await photo(browser, 300) };
    small = { name: "tiny.png", type: "image/png", bytes: await photo(browser, 64, { type: "image/png" }) };
});
after(async () => {
    await browser?.close();
    await server?.stop();
});

const panel = (page) => page.getByRole("tabpanel");
const result = (page) => panel(page).getByRole("region", { name: "Result" });
const download = (page) => result(page).getByRole("link", { name: "Download" });
const doneLine = (page) => result(page).getByRole("status", { name: "Status of the run" }).getByText(/^Done in /);
const choose = (page, file) => panel(page).locator("input[type=file]").first().setInputFiles({ name: file.name, mimeType: file.type, buffer: file.bytes });

async function open(page, tab) {
    await page.goto(`/?tab=${tab}`);
    await panel(page).getByRole("group", { name: "Picture", exact: true }).waitFor();
}

/** Press the button, wait for the end, download: the file. */
async function run(page, button) {
    await panel(page).getByRole("button", { name: button, exact: true }).click();
    await doneLine(page).waitFor({ timeout: RUN_MS });
    return downloaded(page, () => download(page).click());
}

/** The transparent corner and the flower's middle, as the cut-out must have them. */
async function expectCutOut(page, bytes, width) {
    const size = await pixels(page, bytes, []);
    const { pixels: [corner, flower] } = await pixels(page, bytes, [[2, 2], [Math.round(FLOWER[0] * size.width), Math.round(FLOWER[1] * size.height)]]);
    assert.equal(size.width, width);
    assert.equal(corner[3], 0, `the corner is ${corner}`);
    assert.ok(flower[3] > 200, `the flower is ${flower}`);
}

pageTest("remove background: dropped, run, looked at with the keyboard, downloaded", async (t) => {
    const page = await visitor(t, browser, server);
    await open(page, "remove-background");
    await drop(page, panel(page).getByRole("group", { name: "Picture", exact: true }), picture);
    await panel(page).getByText(/300 × \d+/).waitFor();
    const { name, bytes } = await run(page, "Remove the background");
    assert.match(name, /^allium.*\.png$/);
    await expectCutOut(page, bytes, 300);
    assert.equal(makingOf(bytes).model, "bria/remove-background");

    const divider = result(page).getByRole("slider", { name: "Border between before and after" });
    const clip = () => divider.evaluate((element) => element.getBoundingClientRect().left);
    await divider.focus();
    const middle = await clip();
    await divider.press("ArrowLeft");
    assert.equal(await divider.getAttribute("aria-valuenow"), "48");
    await eventually("the divider moves left", async () => (await clip()) < middle);
    await divider.press("End");
    assert.equal(await divider.getAttribute("aria-valuenow"), "100");
    await divider.press("Home");
    assert.equal(await divider.getAttribute("aria-valuenow"), "0");

    const image = result(page).getByRole("img", { name: "Result" });
    const width = async () => (await image.boundingBox()).width;
    await result(page).getByRole("button", { name: "100 %" }).click();
    await eventually("at 100 % a pixel is a pixel", async () => Math.abs((await width()) - 300) < 1);
    await result(page).getByRole("button", { name: "Zoom in" }).click();
    await eventually("it zooms in", async () => (await width()) > 301);
    const zoomed = await width();
    await result(page).getByRole("button", { name: "Zoom out" }).click();
    await eventually("it zooms out", async () => (await width()) < zoomed);
    const stage = result(page).getByRole("group", { name: /zoom/ });
    await stage.focus();
    const before_keys = await width();
    await page.keyboard.press("+");
    await eventually("the plus key zooms", async () => (await width()) > before_keys);
    await result(page).getByRole("button", { name: "Fit" }).click();
    const box = await stage.boundingBox();
    await eventually("it fits", async () => { const at = await image.boundingBox(); return at.width <= box.width + 1 && at.height <= box.height + 1; });
    await result(page).getByRole("button", { name: /Background under transparency: Checkerboard/ }).click();
    await result(page).getByRole("button", { name: /Background under transparency: White/ }).waitFor();
});

pageTest("upscale: chosen, at a scale of 2, is twice as large; the result becomes another tab's input", async (t) => {
    const page = await visitor(t, browser, server);
    await open(page, "upscale");
    await choose(page, small);
    await panel(page).getByRole("textbox", { name: "Scale" }).fill("2");
    const { name, bytes } = await run(page, "Upscale");
    const { width, height } = await pixels(page, bytes, []);
    const given = await pixels(page, small.bytes, []);
    assert.deepEqual([width, height], [2 * given.width, 2 * given.height]);
    assert.match(name, /^tiny-2x\./);

    await result(page).getByRole("button", { name: "Use as input of…" }).click();
    await page.getByRole("menuitem", { name: "Remove background" }).click();
    await page.getByRole("tab", { name: "Remove background", selected: true }).waitFor();
    await panel(page).getByText(`${width} × ${height}`).waitFor();

    // The making: this very file, dropped again, brings back what was set.
    assert.equal(makingOf(bytes).input.scale, 2);
    await open(page, "upscale");
    await page.reload();
    const scale = panel(page).getByRole("textbox", { name: "Scale" });
    await scale.fill("7");
    await drop(page, panel(page).getByRole("group", { name: "Picture", exact: true }), { name, type: "image/png", bytes });
    await page.getByText("This picture says how it was made, with nightmareai/real-esrgan.").waitFor();
    await page.getByRole("button", { name: "Restore its form" }).click();
    await eventually("the scale is as it was", async () => (await scale.inputValue()) === "2");
});

pageTest("a picture dropped on another tab restores the tab it was made in", async (t) => {
    const page = await visitor(t, browser, server);
    await open(page, "upscale");
    await choose(page, small);
    await panel(page).getByRole("textbox", { name: "Scale" }).fill("3");
    const { bytes } = await run(page, "Upscale");
    await page.getByRole("tab", { name: "Remove background" }).click();
    await panel(page).getByRole("textbox").first().waitFor({ state: "hidden" });
    await drop(page, page.locator("main"), { name: "found.png", type: "image/png", bytes });
    await page.getByRole("button", { name: "Restore its form" }).click();
    await page.getByRole("tab", { name: "Upscale", selected: true }).waitFor();
    await eventually("the scale is as it was", async () => (await panel(page).getByRole("textbox", { name: "Scale" }).inputValue()) === "3");
});

pageTest("a picture pasted anywhere, and one given by its address, run as well", async (t) => {
    const page = await visitor(t, browser, server);
    await open(page, "remove-background");
    await paste(page, page.locator("body"), picture);
    await panel(page).getByText("allium.jpg").waitFor();
    await expectCutOut(page, (await run(page, "Remove the background")).bytes, 300);

    const host = await fileHost(picture.bytes, "image/jpeg");
    t.after(() => host.stop());
    await panel(page).getByRole("button", { name: "Picture: Remove" }).click();
    await panel(page).getByRole("button", { name: "Use a link" }).click();
    const link = panel(page).getByRole("textbox", { name: "Link" });
    await link.fill("not a link");
    await link.press("Enter");
    await panel(page).getByText("This is not an http or https link.").waitFor();
    await link.fill(host.url);
    await link.press("Enter");
    await panel(page).getByText("picture.png").waitFor();
    assert.equal(host.asked, 0, "the browser asked the other host itself");
    await expectCutOut(page, (await run(page, "Remove the background")).bytes, 300);
    assert.ok(host.asked >= 1, "the server did not fetch it");
});

pageTest("a big picture is reduced in the browser only when that is asked for", async (t) => {
    const page = await visitor(t, browser, server);
    await open(page, "upscale");
    const big = { name: "big.jpg", type: "image/jpeg", bytes: await photo(browser, 2400) };
    const sent = [];
    // What would be run is looked at and refused, so that nothing of that size has to be upscaled.
    page.allow.push(/status of 422/);
    await page.route("**/v1/predictions", async (route) => {
        if (route.request().method() !== "POST") return route.fallback();
        sent.push(route.request().postDataJSON().input.image);
        await route.fulfill({ status: 422, contentType: "application/problem+json", body: JSON.stringify({ title: "Unprocessable", detail: "Refused by the test.", status: 422 }) });
    });
    // Small files travel in the request itself, large ones are uploaded before.
    const sizeOf = async (link) => {
        if (link.startsWith("data:")) return pixels(page, Buffer.from(link.split(",")[1], "base64"), []);
        const { json } = await server.call("GET", new URL(link).pathname);
        assert.ok(json?.size, `no upload behind ${link}`);
        const response = await fetch(`${link}/download`, { headers: { authorization: `Bearer ${JSON.parse(await page.evaluate(() => sessionStorage.getItem("mimeo-session"))).token}` } });
        assert.equal(response.status, 200, "the upload cannot be read back");
        return pixels(page, Buffer.from(await response.arrayBuffer()), []);
    };
    await choose(page, big);
    const box = panel(page).getByRole("checkbox", { name: /Reduce this big picture first \(it is 2400 × \d+/ });
    await box.waitFor();
    assert.equal(await box.isChecked(), false, "it is asked for by itself");
    await panel(page).getByRole("button", { name: "Upscale", exact: true }).click();
    await page.getByText("Refused by the test.").waitFor();
    assert.equal((await sizeOf(sent[0])).width, 2400);
    await box.click();
    await panel(page).getByRole("button", { name: "Upscale", exact: true }).click();
    await eventually("it is sent again", () => sent.length === 2);
    const reduced = await sizeOf(sent[1]);
    assert.equal(Math.max(reduced.width, reduced.height), 2048);
    await choose(page, small);
    await box.waitFor({ state: "detached" });
    await page.getByText("Refused by the test.").waitFor({ state: "detached" }); // it was said of the other picture
});

pageTest("what is no picture is refused before it is sent, and a run without one says what is missing", async (t) => {
    const page = await visitor(t, browser, server);
    let creates = 0;
    page.on("request", (request) => (creates += request.method() === "POST" ? 1 : 0));
    await open(page, "remove-background");
    await panel(page).getByRole("button", { name: "Remove the background" }).click();
    await panel(page).getByText("This is needed.").waitFor();
    await choose(page, { name: "notes.txt", type: "text/plain", bytes: Buffer.from("no picture") });
    await panel(page).getByText("This is not the kind of file that is asked for.").waitFor();
    assert.equal(creates, 0);
});

pageTest("tabs whose weights are not here say so, with the licence first, or that there is no network yet", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/?tab=enhance");
    for (const tab of ["Enhance", "Generate", "Inpaint", "Colorize"]) {
        await page.getByRole("tab", { name: tab }).click();
        const missing = panel(page).getByText("Weights are not here yet");
        await missing.or(panel(page).getByText("This build has no network for this model yet")).first().waitFor();
        assert.equal(await panel(page).getByRole("button", { name: tab, exact: true }).count(), 0, `${tab} offers to run`);
        if (!(await missing.isVisible())) continue;
        await panel(page).getByRole("list", { name: "Licence" }).getByRole("listitem").first().waitFor();
        const fetch_button = panel(page).getByRole("button", { name: /^Fetch / });
        assert.equal(await fetch_button.isDisabled(), true, "it can be fetched before the licence is accepted");
        await panel(page).getByRole("checkbox", { name: /^I accept / }).click();
        await eventually("it can be fetched", async () => fetch_button.isEnabled());
    }
});
