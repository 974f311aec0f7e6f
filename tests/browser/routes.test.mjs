// Every route of the page, on a desktop and a phone, light and dark, with data on it: axe finds nothing, nothing is too wide, the console
// is empty, no other host is asked, the CSP is never violated.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { fill } from "./data.mjs";
import { DESKTOP, PHONE, PHOTO, SLOWNESS, axe, launch, overflow, pageTest, settled, startServer, visitor } from "./harness.mjs";

let server, browser, made;
before(async () => {
    server = await startServer();
    browser = await launch();
    made = await fill(server);
});
after(async () => {
    await browser?.close();
    await server?.stop();
});

const routes = () => ({
    home: "/",
    "home, inpaint": "/?tab=inpaint",
    "home, colorize": "/?tab=colorize",
    explore: "/explore",
    "explore, searched": "/explore?q=background",
    model: "/bria/remove-background",
    "model, API": "/nightmareai/real-esrgan?tab=api",
    "model, versions": "/nightmareai/real-esrgan?tab=versions",
    "model, examples": "/black-forest-labs/flux-schnell?tab=examples",
    "model, readme": "/nightmareai/real-esrgan?tab=readme",
    predictions: "/predictions",
    prediction: `/p/${made.picture}`,
    "prediction, failed": `/p/${made.failed}`,
    compare: "/compare",
    batch: "/batch",
    files: "/files",
    deployments: "/deployments",
    webhooks: "/webhooks",
    tokens: "/tokens",
    usage: "/usage",
    operations: "/operations",
    settings: "/settings",
    "not found": "/no-such-page-here",
});

// Russian words are long: what fits with them on a phone fits in any language.
const VIEWS = [
    { name: "light, desktop", theme: "light", viewport: DESKTOP },
    { name: "dark, desktop", theme: "dark", viewport: DESKTOP },
    { name: "light, phone", theme: "light", viewport: PHONE },
    { name: "dark, phone, Russian", theme: "dark", viewport: PHONE, language: "ru" },
];
for (const { name, ...view } of VIEWS)
    pageTest(
        `every route is accessible, fits and is quiet: ${name}`,
        async (t) => {
            const page = await visitor(t, browser, server, { ...view, allow: [/status of 404/] });
            const findings = {};
            for (const [route, path] of Object.entries(routes())) {
                await page.goto(path);
                await settled(page);
                const found = await axe(page);
                const wide = await overflow(page);
                if (wide > 0) found.push(`${wide} px wider than the window`);
                if ((await page.locator("h1").count()) !== 1) found.push(`${await page.locator("h1").count()} headings of the first level`);
                if (found.length) findings[route] = found;
            }
            assert.deepEqual(findings, {});
        },
        { timeout: 300_000 * SLOWNESS },
    );

pageTest("what opens over and in a page is accessible, too: dialogs, menus, the mask painter, a result", async (t) => {
    const page = await visitor(t, browser, server);
    const dialog = page.getByRole("dialog").or(page.getByRole("alertdialog"));
    const findings = {};
    const look = async (name) => {
        // (An open menu or tooltip is put at the end of the body, outside of every landmark, as ARIA's practices have it.)
        const found = (await axe(page)).filter((each) => !/^region: .*popper-content/.test(each));
        if (found.length) findings[name] = found;
    };
    await page.goto("/tokens");
    await page.getByRole("button", { name: "New token" }).click();
    await dialog.waitFor();
    await look("a new token");
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.getByText("Give it a name.").waitFor();
    await look("a new token, refused");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /^Revoke / }).first().click();
    await dialog.waitFor();
    await look("asking before something is revoked");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.keyboard.press("?");
    await dialog.waitFor();
    await look("the shortcuts");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Theme" }).click();
    await page.getByRole("menu").waitFor();
    await look("a menu");
    await page.goto("/explore?q=gfpgan");
    await page.getByRole("button", { name: /^Fetch / }).first().click();
    await dialog.waitFor();
    await look("weights to fetch");
    await page.goto(`/p/${made.picture}`);
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Raw JSON" }).click();
    await dialog.waitFor();
    await look("raw JSON");
    await page.goto("/?tab=inpaint");
    await page.getByRole("tabpanel").locator("input[type=file]").first().setInputFiles(PHOTO);
    await page.getByRole("application").waitFor();
    await look("the mask painter");
    await page.goto(`/nightmareai/real-esrgan?from=${made.failed}`);
    await settled(page);
    await page.getByRole("tab", { name: "JSON" }).click();
    await look("a form as JSON");
    assert.deepEqual(findings, {});
});

pageTest("signed out, every route leads to the sign-in page, which is accessible", async (t) => {
    const page = await visitor(t, browser, server, { signedIn: false });
    for (const path of ["/", "/predictions", "/tokens"]) {
        await page.goto(path);
        await page.waitForURL("**/sign-in");
        await settled(page);
        assert.deepEqual(await axe(page), []);
    }
});
