// The audit of kill_nine.mjs: when the server is left alone after its last start, everything must have ended, and the records,
// the books, the webhooks, the versions and the files must agree. Each count is of things that do not.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { TERMINAL, build } from "./server.mjs";

const QUIET_MS = 1500; // without a webhook: no more will come
const RUNNABLE_MAX = 5; // trained versions that are run

// Accepted = terminal.
export async function auditEnds(load, result) {
    const deadline = Date.now() + 120_000;
    for (const id of [...load.accepted.keys()]) {
        for (;;) {
            const got = await load.look(id);
            if (got.status === 404) break;
            const { status } = got.body;
            if (TERMINAL.has(status)) { result.statuses[status] = (result.statuses[status] ?? 0) + 1; break; }
            if (Date.now() > deadline) { result.stuck++; load.say(`${id}: stuck in ${status}`); break; }
            await sleep(20);
        }
    }
    while (load.streams.size > 0 && Date.now() < deadline) await sleep(20);
    if (load.streams.size > 0) { result.stuck += load.streams.size; load.say(`streams without an end: ${[...load.streams]}`); }
}

// All there are, with those that were stored and never acknowledged; each has ended.
export async function readAll(server) {
    const all = [];
    for (const kind of ["predictions", "trainings"]) {
        for (let path = `/v1/${kind}`; path;) {
            const page = (await server.call("GET", path)).body;
            for (const { id } of page.results) all.push({ ...await server.until(id), training: kind === "trainings" });
            path = page.next && new URL(page.next).pathname + new URL(page.next).search;
        }
    }
    return all;
}

// The keys of the files that an output names.
export function filesOf(value, found = []) {
    if (typeof value === "string" && value.startsWith("http")) found.push(new URL(value).pathname.split("/")[2]);
    else if (value && typeof value === "object") for (const one of Object.values(value)) filesOf(one, found);
    return found;
}

// Blobs that no record names, and outputs without a blob. The server is stopped.
export function auditBlobs(data, all, say) {
    const named = all.flatMap(({ output }) => filesOf(output));
    const stored = readdirSync(`${data}/blobs`, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => entry.name.slice(0, 32));
    const alone = stored.filter((key) => !named.includes(key)).concat(named.filter((key) => !stored.includes(key)));
    for (const key of alone) say(`${key}: ${stored.includes(key) ? "no record names it" : "has no blob"}`);
    return alone.length;
}

// Rows of the books against the records: one run for each.
export function auditBooks(data, all, say) {
    const day = (ms) => new Date(ms).toISOString().slice(0, 10);
    const rows = execFileSync(`${build}/mimeo`, ["usage", "--data", data, "--format", "json", "--from", day(Date.now() - 2 * 86400e3), "--to", day(Date.now() + 86400e3)], { encoding: "utf8" })
        .split("\n").filter(Boolean).map((line) => JSON.parse(line));
    const booked = (name) => rows.reduce((sum, row) => sum + row[name], 0);
    const count = (status) => all.filter((record) => record.status === status).length;
    const pairs = { runs: [booked("runs"), all.length], succeeded: [booked("succeeded"), count("succeeded")], failed: [booked("failed"), count("failed")] };
    for (const [name, [books, records]] of Object.entries(pairs)) if (books !== records) say(`books: ${books} ${name}, records: ${records}`);
    return Object.values(pairs).reduce((sum, [books, records]) => sum + Math.abs(books - records), 0);
}

export async function auditWebhooks(receiver, all, result, say) {
    const owed = all.filter(({ webhook }) => webhook);
    const missing = () => owed.filter(({ id }) => receiver.ends(id).taken.length === 0);
    for (const end = Date.now() + 60_000; missing().length > 0 && Date.now() < end;) await sleep(50);
    while (Date.now() - receiver.lastAt < QUIET_MS) await sleep(50);
    result.webhooks = owed.length;
    result.untold = missing().length;
    for (const { id, status } of missing()) say(`${id}: ${status}, and nobody was told`);
    for (const { id, status, completed_at } of all) {
        const { ends, taken } = receiver.ends(id);
        const got = receiver.got.get(id) ?? [];
        const wrong = ends.filter((one) => one.status !== status || one.completed_at !== completed_at).length;
        const late = ends.length > 0 ? got.slice(got.indexOf(ends[0])).filter((one) => !TERMINAL.has(one.status)).length : 0;
        if (wrong > 0 || late > 0 || new Set(ends.map(({ message }) => message)).size > 1) { result.mistold++; say(`${id}: ${status} ${completed_at}, told ${JSON.stringify(got)}`); }
        result.retold += Math.max(0, taken.length - 1);
    }
    for (const id of receiver.got.keys()) if (!all.some((one) => one.id === id)) { result.mistold++; say(`${id}: told, and not stored`); }
    result.mistold += receiver.badSignatures;
    if (receiver.badSignatures > 0) say(`${receiver.badSignatures} bad signatures`);
}

// One prediction per key, whether it was acknowledged or not.
export async function auditKeys(load, all, result) {
    for (const key of load.keys.keys()) {
        const made = all.filter(({ input }) => input.text === key);
        const { id } = load.keys.get(key);
        if (made.length > 1 || (id && made[0]?.id !== id)) { result.twice++; load.say(`${key}: ${id}, made ${made.map((one) => one.id)}`); }
    }
    for (const key of [...load.keys.keys()].slice(-200)) if (load.keys.get(key).id) await load.sendKeyed(key);
    result.twice += load.twice;
}

// Versions that trainings have made: as many as have succeeded, each with its weights, and they run.
export async function auditTrainings(server, all, load, result) {
    const trainings = all.filter(({ training }) => training);
    const succeeded = trainings.filter(({ status }) => status === "succeeded");
    const wanted = succeeded.map(({ output }) => output.version.split(":")[1]).sort();
    const listed = (await server.call("GET", "/v1/models/local/pupil/versions")).body.results.map(({ id }) => id).sort();
    const folder = `${server.data}/weights/local/pupil`;
    const stored = () => (existsSync(folder) ? readdirSync(folder).sort() : []);
    for (const end = Date.now() + 10_000; stored().join() !== wanted.join() && Date.now() < end;) await sleep(50); // what is retracted goes behind the answer's back
    for (const [what, ids] of [["listed", listed], ["with weights", stored()]]) {
        const odd = ids.filter((id) => !wanted.includes(id)).concat(wanted.filter((id) => !ids.includes(id)));
        result.versions += odd.length;
        for (const id of odd) load.say(`version ${id}: ${ids.includes(id) ? "" : "not "}${what}, though its training has ${wanted.includes(id) ? "" : "not "}succeeded`);
    }
    for (const { output, input } of succeeded.slice(0, RUNNABLE_MAX)) {
        const run = await server.call("POST", "/v1/predictions", { version: output.version.split(":")[1], input: {} }, { prefer: "wait=20" });
        if (run.body.output !== input.word) { result.versions++; load.say(`${output.version}: ${run.text}`); }
    }
    result.trained = succeeded.length;
    result.trainings = trainings.length;
}

// What Cancel-After was to end, and the deployments.
export async function auditLanes(server, all, load, result) {
    for (const { id, status, error, created_at, completed_at } of all.filter((one) => load.late.has(one.id))) {
        const s = (Date.parse(completed_at) - Date.parse(created_at)) / 1000;
        const gaveUp = status === "failed" && /interrupted|died|ended|killed/.test(error);
        if (!gaveUp && (status !== "canceled" || s < 4.99)) { result.overdue++; load.say(`${id}: ${status} after ${s} s (${error})`); }
    }
    result.deadlines = load.late.size;
    for (const name of ["two", "late"]) {
        const got = await server.call("GET", `/v1/deployments/local/${name}`);
        if (got.status !== 200 || got.body.current_release.number !== 1) { result.overdue++; load.say(`deployment ${name}: ${got.text}`); }
    }
}
