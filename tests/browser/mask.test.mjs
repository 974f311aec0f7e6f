// The mask painter of Inpaint: what is painted, erased, undone, inverted and uploaded is what would be sent. (No weights for its model come
// from npm: the answer about them is replaced, and the create request is looked at and refused.)
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { eventually, launch, pageTest, photo, pixels, startServer, visitor } from "./harness.mjs";

const WIDTH = 320;
const WHITE = [255, 255, 255, 255], BLACK = [0, 0, 0, 255];
let server, browser, picture, height;
before(async () => {
    server = await startServer();
    browser = await launch();
    picture = { name: "allium.jpg", mimeType: "image/jpeg", buffer: await photo(browser, WIDTH) };
    const page = await browser.newPage();
    height = (await pixels(page, picture.buffer, [])).height;
    await page.close();
});
after(async () => {
    await browser?.close();
    await server?.stop();
});

const panel = (page) => page.getByRole("tabpanel");
const painter = (page) => panel(page).getByRole("group", { name: "Mask painter" });
const canvas = (page) => painter(page).getByRole("application");
const tool = (page, name) => painter(page).getByRole("button", { name });

/** The tab with the photo in it, as if its weights were here. page.sent gets the inputs of creates. */
async function open(t) {
    const page = await visitor(t, browser, server, { allow: [/status of 422/] });
    page.sent = [];
    await page.route(/\/v1\/weights(\/|$)/, async (route) => {
        const response = await route.fetch();
        const json = await response.json();
        for (const each of json.results ?? [json]) Object.assign(each, /inpaint/.test(each.model) ? { state: "ready", fits: true, download_bytes: 0 } : {});
        await route.fulfill({ response, json });
    });
    await page.route("**/v1/predictions", (route) => {
        if (route.request().method() !== "POST") return route.fallback();
        page.sent.push(route.request().postDataJSON().input);
        return route.fulfill({ status: 422, contentType: "application/problem+json", body: JSON.stringify({ title: "Unprocessable", detail: "Looked at by the test.", status: 422 }) });
    });
    await page.goto("/?tab=inpaint");
    await panel(page).locator("input[type=file]").first().setInputFiles(picture);
    await canvas(page).waitFor();
    return page;
}

/** A stroke from one place to another, both as parts of the canvas. */
async function stroke(page, from, to) {
    await canvas(page).scrollIntoViewIfNeeded();
    const box = await canvas(page).boundingBox();
    const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
    await page.mouse.move(...at(from));
    await page.mouse.down();
    await page.mouse.move(...at(to), { steps: 8 });
    await page.mouse.up();
}

/** Send, and read the mask that was sent, at places that are parts of the picture. */
async function sentMask(page, points) {
    const before_count = page.sent.length;
    await panel(page).getByRole("button", { name: "Inpaint", exact: true }).click();
    await eventually("it is sent", () => page.sent.length > before_count);
    const { mask } = page.sent.at(-1);
    assert.match(mask, /^data:image\/png;base64,/, "the mask is a small PNG");
    const found = await pixels(page, Buffer.from(mask.split(",")[1], "base64"), points.map(([x, y]) => [Math.round(x * (WIDTH - 1)), Math.round(y * (height - 1))]));
    assert.deepEqual([found.width, found.height], [WIDTH, height], "the mask has another size than the picture");
    await page.getByText("Looked at by the test.").waitFor();
    return found.pixels;
}

pageTest("a stroke is white, the rest black; the eraser takes away; undo, redo and invert", async (t) => {
    const page = await open(t);
    await stroke(page, [0.2, 0.3], [0.8, 0.3]);
    const here = [[0.5, 0.3], [0.5, 0.8], [0.02, 0.02]];
    assert.deepEqual(await sentMask(page, here), [WHITE, BLACK, BLACK]);

    await tool(page, /^Eraser/).click();
    await stroke(page, [0.5, 0.15], [0.5, 0.45]);
    const erased = [[0.5, 0.3], [0.25, 0.3]];
    assert.deepEqual(await sentMask(page, erased), [BLACK, WHITE]);
    await tool(page, /^Undo/).click();
    assert.deepEqual(await sentMask(page, erased), [WHITE, WHITE]);
    await tool(page, /^Redo/).click();
    assert.deepEqual(await sentMask(page, erased), [BLACK, WHITE]);
    await tool(page, /^Invert/).click();
    assert.deepEqual(await sentMask(page, [...erased, [0.02, 0.02]]), [WHITE, BLACK, WHITE]);
    await canvas(page).press("Control+z");
    assert.deepEqual(await sentMask(page, erased), [BLACK, WHITE]);
});

pageTest("without a mask nothing is sent, and it says what to do; cleared is without", async (t) => {
    const page = await open(t);
    const go = panel(page).getByRole("button", { name: "Inpaint", exact: true });
    await go.click();
    await panel(page).getByText("Paint over what should change first.").waitFor();
    await stroke(page, [0.3, 0.5], [0.6, 0.5]);
    await panel(page).getByText("Paint over what should change first.").waitFor({ state: "detached" });
    await tool(page, "Clear").click();
    await go.click();
    await panel(page).getByText("Paint over what should change first.").waitFor();
    assert.equal(page.sent.length, 0);
});

pageTest("a mask that is uploaded is taken in the picture's size, and can be painted on", async (t) => {
    const page = await open(t);
    const base64 = await page.evaluate(() => {
        const half = Object.assign(document.createElement("canvas"), { width: 40, height: 40 });
        const context = half.getContext("2d");
        context.fillStyle = "black";
        context.fillRect(0, 0, 40, 40);
        context.fillStyle = "white";
        context.fillRect(20, 0, 20, 40);
        return half.toDataURL("image/png").split(",")[1];
    });
    await painter(page).locator("input[type=file]").setInputFiles({ name: "half.png", mimeType: "image/png", buffer: Buffer.from(base64, "base64") });
    await painter(page).getByText("50% painted").waitFor();
    assert.deepEqual(await sentMask(page, [[0.25, 0.5], [0.75, 0.5]]), [BLACK, WHITE]);
    await stroke(page, [0.1, 0.5], [0.3, 0.5]);
    assert.deepEqual(await sentMask(page, [[0.2, 0.5], [0.2, 0.9], [0.75, 0.5]]), [WHITE, BLACK, WHITE]);
    await painter(page).locator("input[type=file]").setInputFiles({ name: "broken.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
    await page.getByText("This file cannot be read as a mask.").first().waitFor();
});

pageTest("the keyboard paints too: arrows move the brush, Space paints, brackets change its size", async (t) => {
    const page = await open(t);
    await canvas(page).focus();
    await page.keyboard.press("Space");
    for (let i = 0; i < 6; i++) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Space");
    assert.deepEqual(await sentMask(page, [[0.5, 0.5], [0.05, 0.05]]), [WHITE, BLACK]);
    const size = painter(page).getByRole("slider", { name: "Brush size" });
    const before_size = Number(await size.getAttribute("aria-valuenow"));
    await canvas(page).press("]");
    await eventually("the brush is larger", async () => Number(await size.getAttribute("aria-valuenow")) > before_size);
    await canvas(page).press("[");
    await eventually("the brush is as before", async () => Number(await size.getAttribute("aria-valuenow")) === before_size);
});

pageTest("another picture begins with an empty mask", async (t) => {
    const page = await open(t);
    await stroke(page, [0.3, 0.5], [0.6, 0.5]);
    await painter(page).getByText(/[1-9]\d*% painted/).waitFor();
    await panel(page).locator("input[type=file]").first().setInputFiles({ ...picture, name: "another.jpg", buffer: await photo(browser, 200) });
    await painter(page).getByText("0% painted").waitFor();
});
