// The load of kill_nine.mjs: every sort of create there is, each with what must hold for it at the end (audit.mjs), and
// streams that are read on over kills. A call that fails because the server was killed was not acknowledged.
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { TERMINAL, TOKEN } from "./server.mjs";

export const versionOf = (name) => readFileSync(new URL(`../models/${name}.yaml`, import.meta.url), "utf8").match(/id: ([0-9a-f]{64})/)[1];
const WORDS = 12; // of a stream
const STREAMS_MAX = 4, TRAININGS_MAX = 3, LATE_MAX = 2; // under way at once
const REPEATED_MAX = 20; // creates that are sent again after a restart
const OPEN_MAX = 300;

// What trainings make, and deployments, before the first kill.
export async function prepare(server) {
    const must = async (call) => { const got = await call; if (got.status >= 300) throw new Error(got.text); };
    await must(server.call("POST", "/v1/models", { owner: "local", name: "pupil", visibility: "private", hardware: "cpu" }));
    for (const name of ["two", "late"])
        await must(server.call("POST", "/v1/deployments", { name, model: "test/sleep", version: versionOf("sleep"), hardware: "cpu", min_instances: 0, max_instances: 2 }));
}

export class Load {
    constructor(server, receiver, random, say) {
        Object.assign(this, { server, receiver, random, say });
        this.accepted = new Map(); // id -> null, or "status completed_at" once seen terminal
        this.open = new Set();
        this.keys = new Map(); // idempotency key -> { path, body, id: null, or the prediction's }
        this.late = new Set(); // ids that their Cancel-After must end
        this.trainings = new Map(); // id -> the word it learns
        this.streams = new Set(); // ids that are read
        this.lost = this.double = this.twice = this.torn = this.streamed = this.resumed = this.repeated = 0;
        this.number = 0;
        this.running = true;
    }

    // `known`: what was known when the request was sent; an answer that was under way while another saw the end may be older.
    note(prediction, known) {
        if (!TERMINAL.has(prediction.status)) {
            if (known) { this.double++; this.say(`${prediction.id}: back from ${known} to ${prediction.status}`); }
            return;
        }
        const seen = `${prediction.status} ${prediction.completed_at}`;
        const before = this.accepted.get(prediction.id);
        if (before && before !== seen) { this.double++; this.say(`${prediction.id}: ${before} became ${seen}`); }
        if (!before) { this.accepted.set(prediction.id, seen); this.open.delete(prediction.id); }
    }

    async look(id) {
        const known = this.accepted.get(id);
        const got = await this.server.call("GET", `/v1/predictions/${id}`);
        if (got.status === 200) this.note(got.body, known);
        else if (got.status === 404) { this.lost++; this.say(`${id}: lost`); this.accepted.delete(id); this.open.delete(id); }
        return got;
    }

    accept(answer) {
        if (answer.status !== 201 && answer.status !== 202) return null;
        const { id } = answer.body;
        if (!this.accepted.has(id)) { this.accepted.set(id, null); this.open.add(id); }
        this.note(answer.body);
        return answer.body;
    }

    async create(path, input, { headers = {}, ...more } = {}) {
        return this.accept(await this.server.call("POST", path, { input, ...more }, headers));
    }

    // ---- Sorts of creates

    async plain() {
        const inputs = [
            () => ["noop", { text: "x".repeat(Math.floor(this.random() * 2000)) }],
            () => ["sleep", { seconds: this.random() * 0.05 }],
            () => ["copy_file", { image: "data:,x" }],
        ];
        const [model, input] = inputs[Math.floor(this.random() * inputs.length)]();
        return this.create(`/v1/models/test/${model}/predictions`, input);
    }

    async told() {
        const more = { webhook: `${this.receiver.url}/ends`, webhook_events_filter: ["completed"] };
        return this.random() < 0.3
            ? this.create("/v1/models/test/text_list/predictions", { text: "a b c", pause_ms: 5 }, { ...more, webhook_events_filter: ["start", "output", "logs", "completed"] })
            : this.create(`/v1/models/test/${this.random() < 0.5 ? "noop" : "copy_file"}/predictions`, { image: "data:,x" }, more);
    }

    async sendKeyed(key) {
        const keyed = this.keys.get(key);
        const made = this.accept(await this.server.call("POST", keyed.path, keyed.body, { "idempotency-key": key }));
        if (made && keyed.id && keyed.id !== made.id) { this.twice++; this.say(`${key}: ${keyed.id} and ${made.id}`); }
        if (made) keyed.id = made.id;
        return made;
    }

    async keyed() {
        const key = `key-${this.number++}`;
        const told = this.random() < 0.3 ? { webhook: `${this.receiver.url}/keyed`, webhook_events_filter: ["completed"] } : {};
        this.keys.set(key, { path: "/v1/models/test/noop/predictions", body: { input: { text: key }, ...told }, id: null });
        return this.sendKeyed(key);
    }

    async deployed() { return this.create("/v1/deployments/local/two/predictions", { seconds: this.random() * 0.1 }); }

    async ended() {
        if ([...this.late].filter((id) => !this.accepted.get(id)).length >= LATE_MAX) return this.deployed();
        const made = await this.create("/v1/deployments/local/late/predictions", { seconds: 60 }, { headers: { "cancel-after": "5s" } });
        if (made) this.late.add(made.id);
        return null;
    }

    async training() {
        if ([...this.trainings.keys()].filter((id) => !this.accepted.get(id)).length >= TRAININGS_MAX) return this.keyed();
        const word = `word${this.number++}`;
        const made = await this.create(`/v1/models/test/trainable/versions/${versionOf("trainable")}/trainings`, { word, steps: 3 },
            { destination: "local/pupil", webhook: `${this.receiver.url}/trainings`, webhook_events_filter: ["completed"] });
        if (made) this.trainings.set(made.id, word);
        return made;
    }

    async followed() {
        if (this.streams.size >= STREAMS_MAX) return this.told();
        const words = Array.from({ length: WORDS }, (_, i) => `${this.number++}.${i}`);
        const made = await this.create("/v1/models/test/text_list/predictions", { text: words.join(" "), pause_ms: 20 });
        if (made) this.follow(made, words);
        return null; // not to be canceled
    }

    // ---- Streams

    // One connection's worth of events; whole ones only.
    connect(path, last, events) {
        return new Promise((done) => {
            const headers = { accept: "text/event-stream", authorization: `Bearer ${TOKEN}`, ...(last ? { "last-event-id": last } : {}) };
            const call = request(this.server.url + path, { headers, timeout: 30000 }, (response) => {
                let text = "";
                response.setEncoding("utf8");
                response.on("data", (chunk) => {
                    const blocks = (text + chunk).split("\n\n");
                    text = blocks.pop();
                    for (const block of blocks) {
                        const field = (name) => block.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1];
                        if (field("event")) events.push({ event: field("event"), id: field("id"), data: field("data") });
                    }
                });
                response.on("error", () => {}).on("close", done);
            });
            call.on("error", done).on("timeout", () => call.destroy()).end();
        });
    }

    // Reads a stream to its end, over as many kills as there are: each word once, in order, unless it failed.
    async follow({ id, urls }, words) {
        const events = [];
        this.streams.add(id);
        this.streamed++;
        for (const end = Date.now() + 120_000; Date.now() < end && !["done", "error"].includes(events.at(-1)?.event);) {
            const before = events.length;
            await this.connect(new URL(urls.stream).pathname, events.at(-1)?.id, events);
            if (events.length > before && !["done", "error"].includes(events.at(-1).event)) this.resumed++;
            await sleep(20);
        }
        const got = events.filter(({ event }) => event === "output").map(({ data }) => data);
        const whole = events.at(-1)?.event === "done" && events.at(-1).data === "{}";
        if (whole ? got.join() !== words.join() : got.join() !== words.slice(0, got.length).join() || events.at(-1)?.event !== "error" && !events.at(-1)?.data?.includes("reason")) {
            this.torn++;
            this.say(`${id}: the stream gave ${JSON.stringify(events)}`);
        }
        this.streams.delete(id);
    }

    // ---- The clients

    async client() {
        const sorts = [[40, this.plain], [20, this.told], [15, this.keyed], [15, this.deployed], [2, this.ended], [3, this.training], [5, this.followed]];
        const all = sorts.reduce((sum, [weight]) => sum + weight, 0);
        while (this.running) {
            try {
                if (this.open.size > OPEN_MAX) { // enough is under way: look how it goes instead
                    const [first] = this.open;
                    this.open.delete(first); // to the back of the line
                    this.open.add(first);
                    await this.look(first);
                    continue;
                }
                let at = this.random() * all;
                const [, sort] = sorts.find(([weight]) => (at -= weight) < 0);
                const made = await sort.call(this);
                if (made && this.random() < 0.1) {
                    const known = this.accepted.get(made.id);
                    const canceled = await this.server.call("POST", `/v1/predictions/${made.id}/cancel`);
                    if (canceled.status === 200) this.note(canceled.body, known);
                }
                const ids = [...this.accepted.keys()];
                const any = ids[Math.floor(this.random() * ids.length)];
                if (any) await this.look(any);
            } catch { await sleep(5); /* the server was killed under the request: it was not acknowledged */ }
        }
    }

    // After a start of the server: the latest creates with a key once more, acknowledged or not.
    async repeat() {
        for (const key of [...this.keys.keys()].slice(-REPEATED_MAX)) {
            try {
                await this.sendKeyed(key);
                this.repeated++;
            } catch { return; /* killed again */ }
        }
    }
}
