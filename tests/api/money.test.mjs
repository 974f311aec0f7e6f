// Prices, credit, usage, and whose predictions are whose.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, root, sleep, versionOf } from "./server.mjs";

const NOTICE_MS = 2500; // a running server reads accounts again every second
const noop = versionOf("noop");
const manifests = mkdtempSync(join(tmpdir(), "mimeo-manifests-"));
let server, costly;

before(async () => {
    const manifest = readFileSync(join(root, "tests/models/noop.yaml"), "utf8");
    writeFileSync(join(manifests, "noop.yaml"), manifest);
    costly = "c".repeat(64);
    writeFileSync(join(manifests, "costly.yaml"), manifest.replace("name: noop", "name: costly").replace(noop, costly) +
        "price:\n  per_run: 0.25\n");
    server = await Server.start({ manifests });
});
after(async () => {
    assert.equal(await server.stop(), 0, server.log);
    rmSync(manifests, { recursive: true, force: true });
});

const account = (name) => server.command("tokens", "create", "--account", name).trim();
const run = (token, version) => server.call("POST", "/v1/predictions", { token, body: { version, input: { text: "x" } }, headers: { prefer: "wait" } });
const usage = async (token, query = "") => (await server.call("GET", `/v1/account/usage${query}`, { token })).json;
const today = () => new Date().toISOString().slice(0, 10);

test("GET /account tells who one is", async () => {
    const answer = await server.call("GET", "/v1/account");
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '{"type":"user","username":"local","name":"local","github_url":"","avatar_url":""}');
    assert.deepEqual(await server.client().accounts.current(), answer.json);
});

test("another account's prediction does not exist", async () => {
    const token = account("stranger");
    const { id } = (await run(undefined, noop)).json;
    for (const [method, path] of [["GET", `/v1/predictions/${id}`], ["POST", `/v1/predictions/${id}/cancel`]]) {
        const answer = await server.call(method, path, { token });
        assert.equal(answer.status, 404);
        assert.equal(answer.text, '{"detail":"The requested resource could not be found.","status":404}\n');
    }
    assert.deepEqual((await server.call("GET", "/v1/predictions", { token })).json.results, []);
});

test("runs are in the books, by day, token and model", async () => {
    const tokens = [account("books"), account("books")];
    for (const [token, version] of [[tokens[0], noop], [tokens[0], costly], [tokens[0], costly], [tokens[1], costly]])
        assert.equal((await run(token, version)).json.status, "succeeded");
    const all = await usage(tokens[0]);
    assert.equal(all.account, "books");
    assert.equal(all.plan, "unlimited");
    assert.equal(all.predictions_today, 4);
    assert.equal(all.predictions_per_day, null);
    assert.equal(all.credit, null);
    assert.equal(all.total.runs, 4);
    assert.equal(all.total.succeeded, 4);
    assert.equal(all.total.failed, 0);
    assert.equal(all.total.cost, 0.75);
    assert.ok(all.total.predict_time >= 0);
    assert.equal(all.rows.length, 3);
    for (const row of all.rows) {
        assert.deepEqual(Object.keys(row), ["day", "token", "model", "runs", "succeeded", "failed", "predict_time", "images", "cost"]);
        assert.equal(row.day, today());
    }
    const byModel = await usage(tokens[1], "?group=model");
    assert.deepEqual(byModel.rows.map((row) => [row.model, row.runs, row.cost]).sort(), [["test/costly", 3, 0.75], ["test/noop", 1, 0]]);
    assert.deepEqual((await usage(tokens[0], `?group=day&from=${today()}&to=${today()}`)).rows.map((row) => [row.day, row.runs]), [[today(), 4]]);
    assert.deepEqual((await usage(tokens[0], "?from=2020-01-01&to=2020-01-31")).rows, []);
    for (const bad of ["?from=soon", "?group=hour", "?from=2026-01-02&to=2026-01-01"])
        assert.equal((await server.call("GET", `/v1/account/usage${bad}`)).status, 400, bad);
});

test("mimeo usage prints the same, as a table, CSV and JSON", async () => {
    const token = account("printed");
    await run(token, costly);
    const csv = server.command("usage", "--account", "printed", "--format", "csv").trim().split("\n");
    assert.equal(csv[0], "day,account,token,model,runs,succeeded,failed,predict_time,images,cost");
    assert.match(csv[1], new RegExp(`^${today()},printed,[0-9a-f]{16},test/costly,1,1,0,\\d+\\.\\d{6},0,0\\.250000$`));
    const [row] = server.command("usage", "--account", "printed", "--format", "json").trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(row.model, "test/costly");
    assert.equal(row.cost, 0.25);
    assert.match(server.command("usage", "--account", "printed"), /DAY +ACCOUNT[^]*test\/costly/);
});

test("credit is spent, then 402; what costs nothing goes on", async () => {
    const token = account("poor");
    assert.match(server.command("accounts", "set", "poor", "--credit", "5.25"), /poor +\(default\) +\$5\.25/);
    assert.equal((await run(token, costly)).json.status, "succeeded");
    assert.equal((await usage(token)).credit, 5);
    server.command("accounts", "set", "poor", "--credit", "0");
    await sleep(NOTICE_MS);
    const answer = await run(token, costly);
    assert.equal(answer.status, 402);
    assert.equal(answer.text, '{"title":"Insufficient credit","detail":"You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing to purchase credit. Once you purchase credit, please wait a few minutes before trying again.","status":402}\n');
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.match(server.command("accounts"), /poor +\(default\) +\$0\.00/);
    server.command("accounts", "set", "poor", "--no-credit");
    await sleep(NOTICE_MS);
    assert.equal((await run(token, costly)).status, 201);
});

test("with little credit creates are slow, and say why", async () => {
    const token = account("frugal");
    server.command("accounts", "set", "frugal", "--credit", "4.99");
    assert.equal((await run(token, noop)).status, 201);
    const answer = await run(token, noop);
    const seconds = answer.json.retry_after;
    assert.ok(seconds >= 8 && seconds <= 10);
    assert.equal(answer.text, `{"detail":"Request was throttled. Your rate limit for creating predictions is reduced to 6 requests per minute with a burst of 1 requests while you have less than $5.0 in credit. Your rate limit resets in ~${seconds}s.","status":429,"retry_after":${seconds}}\n`);
    assert.equal(answer.headers.get("retry-after"), String(seconds));
});

test("mimeo accounts refuses what it does not understand", () => {
    const refused = (args, text) => assert.throws(() => server.command("accounts", ...args), (error) => error.status === 2 && text.test(error.stderr));
    refused(["set"], /needs the account's name/);
    refused(["set", "x"], /needs --plan, --credit or --no-credit/);
    refused(["set", "x", "--credit", "-5"], /amount in dollars/);
    refused(["set", "x", "--credit", "1.2345678"], /amount in dollars/);
    refused(["set", "x", "--credit", "1", "--no-credit"], /exclude each other/);
    refused(["set", "x", "--plan", "a:per-day=1"], /a plan's name/);
    refused(["remove", "x"], /unknown action/);
});

test("a change counts for the first call after a pause, too", async () => {
    const paused = account("paused");
    server.command("accounts", "set", "paused", "--credit", "10");
    assert.equal((await run(paused, costly)).status, 201);
    await sleep(NOTICE_MS);
    server.command("accounts", "set", "paused", "--credit", "0");
    await sleep(NOTICE_MS);
    assert.equal((await run(paused, costly)).status, 402);
});
