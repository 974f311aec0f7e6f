// The keyboard alone: a whole run, shortcuts and their list, dialogs that keep the focus and give it back, a focus that is always seen.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { fileHost, versionOf } from "../api/server.mjs";
import { create } from "./data.mjs";
import { DESKTOP, SLOWNESS, eventually, launch, pageTest, photo, settled, startServer, visitor } from "./harness.mjs";

const TABS_LIMIT = 80; // presses of Tab after which a thing counts as out of reach

let server, tester, browser, host;
before(async () => {
    server = await startServer({ allowPrivate: true });
    tester = await startServer({ models: "test" });
    browser = await launch();
    host = await fileHost(await photo(browser, 120), "image/jpeg");
});
after(async () => {
    await browser?.close();
    await server?.stop();
    await tester?.stop();
    await host?.stop();
});

/** What has the focus: its role or tag, and its accessible name as a person would say it. */
const focused = (page) =>
    page.evaluate(() => {
        const element = document.activeElement;
        const labelled = element?.getAttribute("aria-labelledby");
        const name = element?.getAttribute("aria-label") ?? (labelled && document.getElementById(labelled)?.textContent) ?? element?.labels?.[0]?.textContent ?? element?.textContent ?? "";
        return { tag: element?.tagName ?? "", role: element?.getAttribute("role") ?? "", name: name.trim().replace(/\s+/g, " ") };
    });

/** Press Tab (or Shift+Tab) until a thing of that name has the focus. */
async function tabTo(page, name, key = "Tab") {
    const passed = [];
    for (let i = 0; i < TABS_LIMIT; i++) {
        await page.keyboard.press(key);
        const at = await focused(page);
        if (at.tag !== "BODY" && name.test(at.name)) return at;
        passed.push(at.name.slice(0, 30) || at.tag);
    }
    assert.fail(`Tab does not lead to ${name}; it passes ${passed.join(" | ")}`);
}

pageTest("a whole run by keyboard: skip link, tabs, a picture by its address, Ctrl+Enter, download", async (t) => {
    const page = await visitor(t, browser, server);
    await page.goto("/?tab=upscale");
    await settled(page);
    await page.keyboard.press("Tab");
    assert.equal((await focused(page)).name, "Skip to content");
    await page.keyboard.press("Enter");
    await eventually("the focus is in the content", () => page.evaluate(() => document.querySelector("main").contains(document.activeElement)));
    await tabTo(page, /^Upscale$/);
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("tab", { name: "Remove background", selected: true }).waitFor();
    const panel = page.getByRole("tabpanel");
    await panel.getByRole("group", { name: "Picture", exact: true }).waitFor();
    await tabTo(page, /^Use a link$/);
    await page.keyboard.press("Enter");
    await eventually("the field for the link has the focus", async () => (await focused(page)).name === "Link");
    await page.keyboard.type(host.url);
    await page.keyboard.press("Enter");
    await panel.getByText("picture.png").waitFor();
    await page.keyboard.press("Control+Enter");
    await panel.getByText(/^Done in /).waitFor({ timeout: 60_000 * SLOWNESS });
    await tabTo(page, /^Picture: plus and minus zoom/);
    const zoom = panel.getByText(/^\d+ %$/).first();
    const before_zoom = await zoom.innerText();
    await page.keyboard.press("+");
    await eventually("it zooms", async () => (await zoom.innerText()) !== before_zoom);
    await tabTo(page, /^Download$/);
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
    assert.match(download.suggestedFilename(), /\.png$/);
});

pageTest("Escape cancels the run; while a dialog is open it closes only that", async (t) => {
    const page = await visitor(t, browser, tester);
    await page.goto("/test/sleep");
    const seconds = page.getByRole("textbox", { name: "Seconds" });
    await seconds.fill("100");
    await seconds.press("Control+Enter");
    await page.getByText(/^Step \d+ of/).first().waitFor();
    await page.getByRole("heading", { level: 1 }).click(); // out of the field
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByText(/^Step \d+ of/).first().waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("region", { name: "Output" }).getByText("Canceled", { exact: true }).waitFor();
});

pageTest("? lists what counts here; g and a letter go to a page; letters in a field stay letters", async (t) => {
    const page = await visitor(t, browser, tester);
    await page.goto("/test/sleep");
    await settled(page);
    await page.keyboard.press("?");
    const list = page.getByRole("dialog");
    await list.waitFor();
    for (const what of ["Go to Predictions", "Go to Explore", "Show this list"]) await list.getByText(what, { exact: true }).waitFor();
    await list.getByText("Enter", { exact: true }).waitFor();
    await page.keyboard.press("Escape");
    await list.waitFor({ state: "detached" });
    await page.keyboard.press("g");
    await page.keyboard.press("p");
    await page.getByRole("heading", { level: 1, name: "Predictions" }).waitFor();
    await eventually("the focus is on the new page", () => page.evaluate(() => document.querySelector("main").contains(document.activeElement)));
    await page.keyboard.press("g");
    await page.keyboard.press("e");
    await page.getByRole("heading", { level: 1, name: "Explore" }).waitFor();
    const search = page.getByRole("searchbox");
    await search.fill("");
    await search.press("g");
    await search.press("p");
    await search.press("?");
    assert.equal(await search.inputValue(), "gp?");
    await page.getByRole("heading", { level: 1, name: "Explore" }).waitFor();
    assert.equal(await page.getByRole("dialog").count(), 0);
});

pageTest("shortcuts of plain letters can be turned off", async (t) => {
    const page = await visitor(t, browser, tester);
    await page.goto("/settings");
    await page.getByRole("switch", { name: "Shortcuts of plain letters" }).click();
    await page.getByRole("heading", { level: 1, name: "Settings" }).click();
    await page.keyboard.press("?");
    await page.keyboard.press("g");
    await page.keyboard.press("p");
    assert.equal(await page.getByRole("dialog").count(), 0);
    assert.match(page.url(), /\/settings$/);
    await page.reload();
    assert.equal(await page.getByRole("switch", { name: "Shortcuts of plain letters" }).isChecked(), false);
});

pageTest("a dialog takes the focus, keeps it, and gives it back", async (t) => {
    const page = await visitor(t, browser, tester);
    await page.goto("/tokens");
    const opener = page.getByRole("button", { name: "New token" });
    await opener.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    await eventually("the focus is in the dialog", () => dialog.evaluate((element) => element.contains(document.activeElement)));
    for (let i = 0; i < 30; i++) {
        await page.keyboard.press(i % 3 === 2 ? "Shift+Tab" : "Tab");
        assert.ok(await dialog.evaluate((element) => element.contains(document.activeElement)), "the focus leaves the dialog");
    }
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await eventually("the focus is back at the button", () => opener.evaluate((element) => document.activeElement === element));

    const menu_button = page.getByRole("button", { name: "Theme" });
    await menu_button.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("menuitemradio", { name: "Dark" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Escape");
    await eventually("the focus is back at the menu's button", () => menu_button.evaluate((element) => document.activeElement === element));
});

pageTest("whatever Tab reaches shows that it has the focus, and is not hidden behind the header", async (t) => {
    await create(tester, versionOf("noop"), { text: "seen" });
    const page = await visitor(t, browser, tester, { viewport: { ...DESKTOP, height: 600 } });
    const unseen = [];
    for (const path of ["/", "/explore", "/predictions", "/tokens", "/settings", "/test/sleep", "/compare"]) {
        await page.goto(path);
        await settled(page);
        for (let i = 0; i < 40; i++) {
            await page.keyboard.press("Tab");
            const problem = await page.evaluate(() => {
                const element = document.activeElement;
                if (!element || element === document.body) return null;
                const box = element.getBoundingClientRect();
                const name = `${element.tagName} ${element.getAttribute("aria-label") ?? element.textContent?.slice(0, 40) ?? ""}`;
                // A ring (outline or shadow) on it, or on something inside that stands for it.
                // (A radio button that is not seen itself has its label's; the parts of a date have the browser's own.)
                if (element.type === "date") return null;
                const ringed = [element, ...element.querySelectorAll("*"), ...(element.labels ?? []), ...(element.type === "radio" ? [element.nextElementSibling ?? element] : [])].some((each) => {
                    const style = getComputedStyle(each);
                    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || ((each === element || each.tagName === 'LABEL') && style.boxShadow !== "none" && /\d/.test(style.boxShadow));
                });
                if (!ringed) return `${name}: no ring`;
                if (box.width === 0 || box.height === 0) return `${name}: has no size`;
                const header = document.querySelector("header")?.getBoundingClientRect();
                if (header && !document.querySelector("header").contains(element) && !element.closest("[class*=fixed]") && box.bottom <= header.bottom) return `${name}: behind the header`;
                return null;
            });
            if (problem) unseen.push(`${path}: ${problem}`);
        }
    }
    assert.deepEqual([...new Set(unseen)], []);
});
