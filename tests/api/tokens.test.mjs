// Tokens over HTTP: scopes, limits, lifetimes, making and revoking them; signing in with a link.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, sleep, TOKEN, versionOf } from "./server.mjs";

let server;
before(async () => { server = await Server.start({ args: ["--creates-per-minute", "100000"] }); });
after(() => server?.stop());

const make = async (body, token = TOKEN) => server.call("POST", "/v1/account/tokens", { body, token });
const list = async () => (await server.call("GET", "/v1/account/tokens")).json.results;
const create = (token) => server.call("POST", "/v1/predictions", { token, body: { version: versionOf("noop"), input: {} } });
const forbidden = (answer, scope) => {
    assert.equal(answer.status, 403, answer.text);
    assert.deepEqual(answer.json, { title: "Forbidden", detail: `This token may not do that: it needs the scope "${scope}".`, status: 403 });
};

test("a new token is shown once, works, and is listed without its text", async () => {
    const { status, json } = await make({ name: "laptop ✓", scopes: ["read", "run"], creates_per_minute: 60, predictions_per_day: 500, expires_in_s: 3600 });
    assert.equal(status, 201);
    assert.match(json.token, /^r8_[0-9A-Za-z]{37}$/);
    assert.match(json.id, /^[0-9a-f]{16}$/);
    assert.equal(json.token.startsWith(json.starts), true);
    assert.deepEqual([json.name, json.scopes, json.creates_per_minute, json.predictions_per_day], ["laptop ✓", ["read", "run"], 60, 500]);
    assert.deepEqual([json.last_used_at, json.current, json.session], [null, false, false]);
    const left_s = (Date.parse(json.expires_at) - Date.now()) / 1000;
    assert.ok(left_s > 3500 && left_s <= 3600, `${left_s}`);
    assert.equal((await server.call("GET", "/v1/account", { token: json.token })).json.username, "local");
    const listed = await list();
    assert.equal(listed[0].id, json.id, "newest first");
    assert.equal("token" in listed[0], false);
    assert.equal(JSON.stringify(listed).includes(json.token), false);
    assert.deepEqual(listed.filter((one) => one.current).map((one) => one.starts), [TOKEN.slice(0, 6)]);
});

test("each scope allows its calls and no others", async () => {
    const token = {};
    for (const scope of ["read", "run", "manage", "operate"]) token[scope] = (await make({ name: scope, scopes: [scope] })).json.token;
    const model = { owner: "local", name: "scoped", visibility: "private", hardware: "cpu" };
    const secret = ["GET", "/v1/webhooks/default/secret"], rotate = ["POST", "/v1/webhooks/default/secret"];

    assert.equal((await server.call("GET", "/v1/models", { token: token.read })).status, 200);
    assert.equal((await server.call("QUERY", "/v1/models", { token: token.read, body: "noop", headers: { "content-type": "text/plain" } })).status, 200);
    assert.equal((await server.call("HEAD", "/v1/models", { token: token.read })).status, 200);
    forbidden(await create(token.read), "run");
    forbidden(await server.call(...secret, { token: token.read }), "manage");

    assert.equal((await create(token.run)).status, 201);
    forbidden(await server.call("GET", "/v1/predictions", { token: token.run }), "read");
    forbidden(await server.call("POST", "/v1/models", { token: token.run, body: model }), "manage");
    forbidden(await server.call("DELETE", "/v1/models/local/scoped", { token: token.run }), "manage");
    forbidden(await server.call("PATCH", "/v1/deployments/local/x", { token: token.run, body: { min_instances: 0 } }), "manage");
    forbidden(await server.call("DELETE", "/v1/deployments/local/x", { token: token.run }), "manage");
    forbidden(await server.call("GET", "/v1/account/tokens", { token: token.run }), "manage");
    forbidden(await make({ name: "x" }, token.run), "manage");

    assert.equal((await server.call("POST", "/v1/models", { token: token.manage, body: model })).status, 201);
    assert.equal((await server.call(...secret, { token: token.manage })).status, 200);
    assert.equal((await server.call(...rotate, { token: token.manage })).status, 200);
    assert.equal((await server.call("POST", "/v1/webhooks/deliveries/msg_x/replay", { token: token.manage })).status, 404);
    forbidden(await server.call("POST", "/v1/webhooks/deliveries/msg_x/replay", { token: token.run }), "manage");
    forbidden(await create(token.manage), "run");
    forbidden(await server.call("GET", "/v1/models", { token: token.operate }), "read");
    // Whoever has none of them may still ask who he is.
    const own = await server.call("GET", "/v1/account/tokens/current", { token: token.operate });
    assert.deepEqual([own.status, own.json.name, own.json.account, own.json.current], [200, "operate", "local", true]);
});

test("nobody makes a token that may do more than his own", async () => {
    const own = (await make({ name: "own", scopes: ["read", "manage"], creates_per_minute: 10, predictions_per_day: 20, expires_in_s: 600 })).json;
    const by = (body) => make({ name: "child", ...body }, own.token);
    for (const [body, field] of [
        [{ scopes: ["read", "run"] }, "scopes"], [{ scopes: ["operate"] }, "scopes"], [{ creates_per_minute: 11 }, "creates_per_minute"],
        [{ predictions_per_day: 21 }, "predictions_per_day"], [{ expires_in_s: 601 }, "expires_in_s"],
    ]) {
        const { status, json } = await by(body);
        assert.equal(status, 422, JSON.stringify(body));
        assert.deepEqual(json.invalid_fields.map((one) => one.field), [field]);
    }
    const { json: child } = await by({});
    assert.deepEqual([child.scopes, child.creates_per_minute, child.predictions_per_day, child.expires_at], [["read", "manage"], 10, 20, own.expires_at]);
    const { json: smaller } = await by({ scopes: ["read"], creates_per_minute: 5, predictions_per_day: 1, expires_in_s: 60 });
    assert.deepEqual([smaller.scopes, smaller.creates_per_minute, smaller.predictions_per_day], [["read"], 5, 1]);
    for (const body of [{}, { name: "" }, { name: 3 }, { name: "x".repeat(101) }, { name: "x", scopes: [] }, { name: "x", scopes: ["root"] },
        { name: "x", creates_per_minute: 0 }, { name: "x", expires_in_s: -1 }, { name: "x", expires_in_s: 1e12 }, { name: "x", other: 1 }])
        assert.equal((await make(body)).status, 422, JSON.stringify(body));
    assert.equal((await make({ name: "x", scopes: ["read"], creates_per_minute: null, predictions_per_day: null, expires_in_s: null })).status, 201);
});

test("a revoked token ends at once, and any token may end itself", async () => {
    const victim = (await make({ name: "victim" })).json, other = (await make({ name: "other", scopes: ["read", "run"] })).json;
    assert.equal((await server.call("GET", "/v1/account", { token: victim.token })).status, 200);
    forbidden(await server.call("DELETE", `/v1/account/tokens/${victim.id}`, { token: other.token }), "manage");
    assert.equal((await server.call("DELETE", `/v1/account/tokens/${victim.id}`)).status, 204);
    assert.equal((await server.call("GET", "/v1/account", { token: victim.token })).status, 401);
    assert.equal((await server.call("DELETE", `/v1/account/tokens/${victim.id}`)).status, 404);
    assert.equal((await server.call("DELETE", "/v1/account/tokens/nothing")).status, 404);
    assert.equal((await server.call("DELETE", `/v1/account/tokens/${other.id}`, { token: other.token })).status, 204);
    assert.equal((await server.call("GET", "/v1/account", { token: other.token })).status, 401);
    assert.equal((await list()).some((one) => one.id === victim.id || one.id === other.id), false);
});

test("tokens of another account are not there", async () => {
    const stranger = server.command("tokens", "create", "--account", "stranger", "--name", "s").trim();
    const own = (await make({ name: "mine" })).json;
    const seen = (await server.call("GET", "/v1/account/tokens", { token: stranger })).json.results;
    assert.deepEqual(seen.map((one) => one.name), ["s"]);
    assert.equal((await server.call("DELETE", `/v1/account/tokens/${own.id}`, { token: stranger })).status, 404);
    assert.equal((await server.call("GET", "/v1/account", { token: own.token })).status, 200);
});

test("a token ends when its time is over, also one that is in use", async () => {
    const { token, id } = (await make({ name: "short", expires_in_s: 2 })).json;
    assert.equal((await server.call("GET", "/v1/account", { token })).status, 200);
    await sleep(2100);
    assert.equal((await server.call("GET", "/v1/account", { token })).status, 401);
    assert.equal((await list()).some((one) => one.id === id), false);
    assert.match(server.command("tokens", "list"), new RegExp(`${id} .* expired `));
});

test("a token's own limits hold, beside its account's", async () => {
    const day = (await make({ name: "day", predictions_per_day: 2 })).json.token;
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await create(day));
    assert.deepEqual(answers.map((one) => one.status), [201, 201, 429]);
    assert.match(answers[2].json.detail, /^Request was throttled\. This token allows 2 predictions a day\. Your rate limit resets in ~\d+s\.$/);
    assert.equal((await server.call("POST", "/v1/predictions", { token: day, body: { version: "nothing", input: {} } })).status, 422);
    assert.equal((await create(TOKEN)).status, 201, "others of the account go on");
    const minute = (await make({ name: "minute", creates_per_minute: 3 })).json.token;
    const statuses = await Promise.all([1, 2, 3, 4, 5].map(async () => (await create(minute)).status));
    assert.deepEqual(statuses.sort(), [201, 201, 201, 429, 429]);
    assert.equal((await server.call("GET", "/v1/predictions", { token: minute })).status, 200, "reading goes on");
});

test("a day's count of a token outlives the server", async () => {
    const first = await Server.start();
    const { token } = (await first.call("POST", "/v1/account/tokens", { body: { name: "day", predictions_per_day: 2 } })).json;
    const body = { version: versionOf("noop"), input: {} };
    assert.equal((await first.call("POST", "/v1/predictions", { token, body })).status, 201);
    await first.stop({ keep: true });
    const second = await Server.start({ data: first.data });
    try {
        assert.equal((await second.call("POST", "/v1/predictions", { token, body })).status, 201);
        assert.equal((await second.call("POST", "/v1/predictions", { token, body })).status, 429);
    } finally {
        await second.stop();
    }
});

test("the last use is known, to the minute", async () => {
    const { token, id } = (await make({ name: "used" })).json;
    const before_ms = Date.now() - 1000;
    assert.equal((await server.call("GET", "/v1/account", { token })).status, 200);
    let used;
    for (let i = 0; i < 40 && !used; i++, await sleep(50)) used = (await list()).find((one) => one.id === id).last_used_at;
    assert.ok(Date.parse(used) >= before_ms && Date.parse(used) <= Date.now() + 1000, used);
    for (let i = 0; i < 5; i++) await server.call("GET", "/v1/account", { token });
    await sleep(200);
    assert.equal((await list()).find((one) => one.id === id).last_used_at, used);
});

test("the command line makes and shows limited tokens", async () => {
    const token = server.command("tokens", "create", "--name", "robot", "--scopes", "read,run", "--expires-in", "30d", "--creates-per-minute", "6", "--per-day", "50").trim();
    const { json } = await server.call("GET", "/v1/account/tokens/current", { token });
    assert.deepEqual([json.scopes, json.creates_per_minute, json.predictions_per_day], [["read", "run"], 6, 50]);
    const days = (Date.parse(json.expires_at) - Date.now()) / 86400e3;
    assert.ok(days > 29.9 && days <= 30);
    assert.match(server.command("tokens", "list"), new RegExp(`${json.id} .* valid +read,run +6/min 50/day +${json.expires_at.slice(0, 10)}.* robot\\n`));
    for (const wrong of [["--scopes", "read,root"], ["--expires-in", "soon"], ["--expires-in", "9999999d"], ["--expires-in", "0"]])
        assert.throws(() => server.command("tokens", "create", ...wrong), /scope|time/);
});

test("a name cannot rule the terminal of who lists the tokens, nor add a line", async () => {
    const { status, json } = await server.call("POST", "/v1/account/tokens", { body: { name: "\u001b]0;x\u0007\n\u009b2Jend ä", scopes: ["read"] } });
    assert.equal(status, 201);
    const list = server.command("tokens", "list");
    assert.match(list, new RegExp(`^${json.id} .*  \\?]0;x\\?\\?\\?2Jend ä$`, "m"));
    assert.doesNotMatch(list.replaceAll("\n", ""), /[\u0000-\u001f\u007f-\u009f]/);
    await server.call("DELETE", `/v1/account/tokens/${json.id}`);
});

// ---- Signing in ----

const codeOf = (link) => link.match(/\/sign-in#code=([0-9A-Za-z]{40})\s*$/)[1];
const signIn = (code, headers) => server.call("POST", "/v1/sign-in", { token: null, body: { code }, headers });

test("a link signs in once, to a session that may do everything and can sign out", async () => {
    const link = server.command("link", "--url", `${server.url}/`);
    assert.ok(link.startsWith(`${server.url}/sign-in#code=`));
    const code = codeOf(link);
    assert.equal((await server.call("GET", "/v1/account", { token: code })).status, 401, "a code is no token");
    const { status, json } = await signIn(code);
    assert.equal(status, 201);
    assert.deepEqual([json.name, json.account, json.session, json.current, json.scopes], ["browser", "local", true, true, ["read", "run", "manage", "operate"]]);
    const hours = (Date.parse(json.expires_at) - Date.now()) / 3600e3;
    assert.ok(hours > 11.9 && hours <= 12);
    assert.equal((await create(json.token)).status, 201);
    const again = await signIn(code);
    assert.equal(again.status, 403);
    assert.match(again.json.detail, /^This sign-in link was used before, is too old or is not this server's\. /);
    // What it makes may outlive it: it is only so short-lived because it lies in a browser.
    assert.equal((await make({ name: "from the page" }, json.token)).json.expires_at, null);
    assert.equal((await server.call("DELETE", `/v1/account/tokens/${json.id}`, { token: json.token })).status, 204);
    assert.equal((await create(json.token)).status, 401);
});

test("of many who come with one link at the same time, one gets in", async () => {
    const code = codeOf(server.command("link", "--account", "shared"));
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => signIn(code)));
    assert.deepEqual(answers.map((one) => one.status).sort(), [201, 403, 403, 403, 403, 403]);
    assert.equal(answers.find((one) => one.status === 201).json.account, "shared");
});

test("codes are asked for as JSON, guessed at slowly, and a right one is let in before that", async () => {
    const strict = await Server.start();
    try {
        const ask = (code, headers) => strict.call("POST", "/v1/sign-in", { token: null, body: JSON.stringify({ code }), headers: { "content-type": "application/json", ...headers } });
        assert.equal((await ask("x", { "content-type": "text/plain" })).status, 400, "as a form of a foreign page would come");
        assert.equal((await strict.call("POST", "/v1/sign-in", { token: null, body: { code: 1 } })).status, 422);
        const statuses = [];
        for (let i = 0; i < 9; i++) statuses.push((await ask(`wrong${i}`)).status);
        for (let i = 0; i < 3; i++) statuses.push((await ask(codeOf(strict.command("link")))).status);
        statuses.push((await ask("wrong")).status);
        assert.deepEqual(statuses, [...Array(9).fill(403), 201, 201, 201, 403]);
        const late = await ask("wrong");
        assert.equal(late.status, 429);
        assert.ok(Number(late.headers.get("retry-after")) >= 1 && Number(late.headers.get("retry-after")) <= 60);
        assert.equal(strict.log.includes("wrong"), false);
    } finally {
        await strict.stop();
    }
});
