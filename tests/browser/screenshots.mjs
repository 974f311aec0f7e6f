// screenshots.mjs FOLDER [NAME...]: pictures of every route for docs/page.md: light and dark, desktop and phone, put together to one small
// JPEG each. Not a test: the pictures are to be looked at. With MIMEO_KEEP_PARTS=folder the four parts are kept there in full size.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fill, receiver } from "./data.mjs";
import { DESKTOP, PHONE, launch, openPage, photo, settled, startServer } from "./harness.mjs";

const [folder = "docs/images/page", ...only] = process.argv.slice(2);
const parts_folder = process.env.MIMEO_KEEP_PARTS;
mkdirSync(resolve(folder), { recursive: true });
if (parts_folder) mkdirSync(parts_folder, { recursive: true });

const hooks = await receiver();
const server = await startServer({ allowPrivate: true });
const browser = await launch();
const small = await photo(browser, 480);
const made = await fill(server, { webhook: hooks.url, upscale: true, photo: small });

async function choose(page, count = 1) {
    await page.locator("main input[type=file]").first().setInputFiles(Array.from({ length: count }, (_, i) => ({ name: `allium-${i + 1}.jpg`, mimeType: "image/jpeg", buffer: small })));
    await page.waitForTimeout(400);
}

/** Run with Ctrl+Enter, and wait for a result to look at. */
async function run(page) {
    await page.keyboard.press("Control+Enter");
    await page.getByRole("link", { name: /Download/ }).or(page.getByRole("button", { name: /Download/ })).first().waitFor({ timeout: 90_000 });
    await page.waitForTimeout(800);
}

async function chooseAndRun(page) {
    await choose(page);
    await run(page);
}

/** A stroke over the flower. */
async function paint(page) {
    await choose(page);
    const stage = page.locator("main canvas").last();
    await stage.waitFor();
    await stage.scrollIntoViewIfNeeded();
    const box = await stage.boundingBox();
    await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.35);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.45, { steps: 8 });
    await page.mouse.up();
}

const routes = {
    home: { path: "/?tab=remove-background", ready: chooseAndRun },
    upscale: { path: "/?tab=upscale", ready: choose },
    inpaint: { path: "/?tab=inpaint", ready: paint },
    explore: { path: "/explore" },
    model: { path: `/bria/remove-background?from=${made.picture}`, ready: run },
    "model-api": { path: `/nightmareai/real-esrgan?tab=api&from=${made.large}` },
    "model-examples": { path: "/black-forest-labs/flux-schnell?tab=examples" },
    "model-versions": { path: "/nightmareai/real-esrgan?tab=versions" },
    "model-readme": { path: "/nightmareai/real-esrgan?tab=readme" },
    predictions: { path: "/predictions" },
    prediction: { path: `/p/${made.picture}` },
    "prediction-failed": { path: `/p/${made.failed}` },
    compare: { path: `/compare?from=${made.large}` },
    batch: { path: "/batch", ready: (page) => choose(page, 3) },
    files: { path: "/files" },
    deployments: { path: "/deployments" },
    webhooks: { path: "/webhooks" },
    tokens: { path: "/tokens" },
    usage: { path: "/usage" },
    operations: { path: "/operations" },
    settings: { path: "/settings" },
    "sign-in": { path: "/sign-in", signedIn: false },
};

async function part(route, name, theme, viewport) {
    const page = await openPage(browser, server, { theme, viewport, signedIn: route.signedIn ?? true });
    await page.goto(route.path);
    await settled(page);
    await route.ready?.(page);
    await page.waitForTimeout(600);
    const bytes = await page.screenshot();
    if (page.problems.length) console.log(`${name}, ${theme}: ${page.problems.join("; ")}`);
    if (parts_folder) writeFileSync(join(parts_folder, `${name}-${theme}-${viewport === PHONE ? "phone" : "desktop"}.png`), bytes);
    await page.context().close();
    return `data:image/png;base64,${bytes.toString("base64")}`;
}

const HEIGHT = 420;
for (const [name, route] of Object.entries(routes)) {
    if (only.length && !only.includes(name)) continue;
    const pictures = [];
    for (const theme of ["light", "dark"]) for (const viewport of [DESKTOP, PHONE]) pictures.push({ src: await part(route, name, theme, viewport), width: Math.round((HEIGHT * viewport.width) / viewport.height) });
    const sheet = await browser.newPage();
    await sheet.setViewportSize({ width: pictures[0].width + pictures[1].width + 24, height: 2 * HEIGHT + 24 });
    await sheet.setContent(`<body style="margin:8px;background:#888;display:flex;flex-wrap:wrap;gap:8px">${pictures.map((each) => `<img src="${each.src}" width="${each.width}" height="${HEIGHT}">`).join("")}</body>`);
    await sheet.waitForTimeout(200);
    writeFileSync(join(folder, `${name}.jpg`), await sheet.screenshot({ type: "jpeg", quality: 72 }));
    await sheet.close();
    console.log(name);
}
await browser.close();
await server.stop();
hooks.close();
