// Languages, theme, and the phone's menu: chosen once, kept, and complete.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { versionOf } from "../api/server.mjs";
import { create, ended } from "./data.mjs";
import { PHONE, eventually, launch, overflow, pageTest, root, settled, startServer, visitor } from "./harness.mjs";

let server, browser, made;
before(async () => {
    server = await startServer({ models: "test" });
    browser = await launch();
    made = await create(server, versionOf("sleep"), { seconds: 0.1 });
    await ended(server, made.id);
});
after(async () => {
    await browser?.close();
    await server?.stop();
});

const ROUTES = () => ["/", "/?tab=upscale", "/?tab=generate", "/explore", "/predictions", `/p/${made.id}`, "/test/sleep", "/test/sleep?tab=api", "/test/sleep?tab=versions", "/compare", "/batch", "/files", "/deployments", "/webhooks", "/tokens", "/usage", "/operations", "/settings", "/no-such-page"];
// Words that are the same in every language, or are names: of parts of the API, of units, of models' own data.
const SAME = /^(API|README|JSON|Mimeo|curl|JavaScript|Python|Go|C|Gateway|Cog|Token|Webhook|Webhooks|Menu|CSV|URL|OK)$/i;
const OF_MODELS = /^(Prompt|Negative Prompt|Scale|Text|Seconds|Image|Mask|Seed|Version|Format|Size|string|number|integer|boolean|array|object|Output|Input)$/; // titles and types in schemas; said by models

/** Every English sentence of the page that some other language says otherwise: sentence → the file it is in. `SAME` and `OF_MODELS` are left out. */
function englishWords(language) {
    const features = join(root, "ui/src");
    const words = new Map();
    for (const file of readdirSync(features, { recursive: true }).map(String).filter((name) => /(messages|common)\.ts$/.test(name))) {
        const text = readFileSync(join(features, file), "utf8");
        for (const [, key, en] of text.matchAll(/^ {8}(\w+): "((?:[^"\\]|\\.)*)",?$/gm)) {
            const others = [...text.matchAll(new RegExp(`^ {8}${key}: "((?:[^"\\\\]|\\\\.)*)",?$`, "gm"))].map((match) => match[1]);
            const of_language = others[language === "ru" ? 1 : 2];
            if (others.length >= 3 && others[0] === en && of_language !== en && !SAME.test(en) && !OF_MODELS.test(en) && en.length > 3) words.set(en, file);
        }
    }
    assert.ok(words.size > 300, `only ${words.size} sentences were found in the page's sources`);
    return words;
}

/** What is shown and what is said: texts, and the names that stand in attributes; not what a model or a program calls itself. */
const said = (page) =>
    page.evaluate(() => {
        const texts = [];
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const parent = walker.currentNode.parentElement;
            if (parent && !parent.closest("script, style, code, pre, [lang]:not(html)")) texts.push(walker.currentNode.textContent.trim());
        }
        for (const element of document.querySelectorAll("[aria-label], [placeholder], [title], [alt]")) for (const name of ["aria-label", "placeholder", "title", "alt"]) if (element.hasAttribute(name)) texts.push(element.getAttribute(name).trim());
        return texts.filter(Boolean);
    });

for (const language of ["ru", "vi"])
    pageTest(`nothing English is left in ${language}, on a phone nothing is too wide`, async (t) => {
        const words = englishWords(language);
        const page = await visitor(t, browser, server, { language, viewport: PHONE, allow: [/status of 404/] });
        const left = new Set();
        for (const path of ROUTES()) {
            await page.goto(path);
            await settled(page);
            assert.equal(await page.locator("html").getAttribute("lang"), language);
            for (const text of await said(page)) if (words.has(text)) left.add(`${path}: “${text}” (${words.get(text)})`);
            const wide = await overflow(page);
            if (wide > 0) left.add(`${path}: ${wide} px wider than a phone`);
        }
        assert.deepEqual([...left], []);
    });

pageTest("the language follows the browser's, is changed by the menu, and is kept", async (t) => {
    const page = await visitor(t, browser, server, { language: "ru" });
    await page.goto("/predictions");
    await page.getByRole("heading", { level: 1, name: "Предсказания" }).waitFor();
    await page.getByRole("button", { name: "Язык" }).click();
    await page.getByRole("menuitemradio", { name: "Tiếng Việt" }).click();
    await page.getByRole("heading", { level: 1, name: "Dự đoán" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "vi");
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "Dự đoán" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "vi");
    await page.goto("/settings");
    await page.getByRole("radio", { name: "English" }).click();
    await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
    await eventually("the tab's title is English", async () => (await page.title()).includes("Settings"));
});

/** How light the page's ground is, 0 to 255 in all. */
const lightness = (page) =>
    page.evaluate(() => {
        const canvas = new OffscreenCanvas(1, 1).getContext("2d");
        canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((sum, part) => sum + part, 0) / 3;
    });

pageTest("the theme follows the system until one is chosen, and the choice is kept", async (t) => {
    const page = await visitor(t, browser, server, { theme: "dark" });
    await page.goto("/files");
    await settled(page);
    assert.ok((await lightness(page)) < 80);
    await page.emulateMedia({ colorScheme: "light" });
    await eventually("it is light as the system is now", async () => (await lightness(page)) > 200);
    await page.getByRole("button", { name: "Theme" }).click();
    await page.getByRole("menuitemradio", { name: "Dark" }).click();
    await eventually("it is dark as chosen", async () => (await lightness(page)) < 80);
    await page.reload();
    await settled(page);
    assert.ok((await lightness(page)) < 80, "after a reload it is light");
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto("/settings");
    await page.getByRole("radio", { name: "Light" }).click();
    await eventually("it is light as chosen", async () => (await lightness(page)) > 200);
});

pageTest("on a phone the menu opens, leads somewhere, and closes", async (t) => {
    const page = await visitor(t, browser, server, { viewport: PHONE });
    await page.goto("/");
    await settled(page);
    assert.equal(await page.getByRole("navigation", { name: "Main navigation" }).isVisible(), false);
    await page.getByRole("button", { name: "Menu" }).click();
    const menu = page.getByRole("dialog");
    await menu.getByRole("link", { name: "Predictions" }).click();
    await page.getByRole("heading", { level: 1, name: "Predictions" }).waitFor();
    await menu.waitFor({ state: "detached" });
    // A run on a phone: what can be touched is large enough for a thumb.
    await page.goto("/test/sleep");
    await settled(page);
    const small = await page.locator("main").evaluate((main) => [...main.querySelectorAll("button, a, input, select, [role=slider]")].filter((each) => { const box = each.getBoundingClientRect(); const inline = getComputedStyle(each).display === "inline"; return box.width > 0 && !inline && (box.width < 18 || box.height < 18); }).map((each) => each.outerHTML.slice(0, 120)));
    assert.deepEqual(small, []);
});
