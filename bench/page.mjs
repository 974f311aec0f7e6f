// bench/page.mjs [ROUNDS]: what the page costs. Bytes over the wire and time until it can be used, of a first visit to the first route over
// loopback, with an empty cache, beside a second visit, from the cache, in the same run.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { build } from "../tests/api/server.mjs";
import { launch, openPage, root, startServer } from "../tests/browser/harness.mjs";

const rounds = Number(process.argv[2] ?? 5);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Load "/" in a new context (or again in the same one); bytes received and milliseconds until the picture can be chosen. */
async function visit(page) {
    const network = await page.context().newCDPSession(page);
    await network.send("Network.enable");
    let bytes = 0, requests = 0, own = 0;
    const paths = new Map();
    network.on("Network.responseReceived", ({ requestId, response }) => paths.set(requestId, new URL(response.url).pathname));
    network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
        bytes += encodedDataLength;
        requests += 1;
        if (!/^\/(v1|api)(\/|$)/.test(paths.get(requestId) ?? "")) own += encodedDataLength;
    });
    await page.goto("/", { waitUntil: "commit" });
    // Interactive: the heading and the drop zone's button are there, and the main thread answers within a frame.
    const ready_ms = await page.evaluate(
        () =>
            new Promise((resolve) => {
                const look = () => {
                    const button = document.querySelector("main h1") && document.querySelector("main button, main label");
                    if (!button) return requestAnimationFrame(look);
                    const asked = performance.now();
                    requestAnimationFrame(() => setTimeout(() => (performance.now() - asked < 50 ? resolve(performance.now()) : look())));
                };
                look();
            }),
    );
    await page.waitForLoadState("networkidle");
    await network.detach();
    return { bytes, own, requests, ready_ms };
}

const server = await startServer();
const browser = await launch();
const first = [], again = [];
for (let round = 0; round < rounds; round++) {
    const page = await openPage(browser, server);
    first.push(await visit(page));
    again.push(await visit(page));
    await page.context().close();
}
await browser.close();
await server.stop();

const dist = join(root, "ui/dist");
const files = readdirSync(dist, { recursive: true }).map((name) => join(dist, name)).filter((path) => statSync(path).isFile());
const whole = files.reduce((sum, path) => sum + statSync(path).size, 0);
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const of = (visits, key) => median(visits.map((each) => each[key]));
console.log(`first visit of /:  ${kb(of(first, "bytes"))} over the wire in ${of(first, "requests")} answers (${kb(of(first, "own"))} of them the page's files), interactive after ${of(first, "ready_ms").toFixed(0)} ms`);
console.log(`from the cache:    ${kb(of(again, "bytes"))} in ${of(again, "requests")} answers, interactive after ${of(again, "ready_ms").toFixed(0)} ms`);
console.log(`all routes' files: ${kb(whole)} uncompressed, ${kb(statSync(join(build, "embed_page.bin")).size)} in the binary (as they are, br and gzip)`);
