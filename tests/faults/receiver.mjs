// A receiver of webhooks for a fault test: it keeps what came, checks who signed it, and fails as often as it is told.
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { TERMINAL } from "./server.mjs";

export class Receiver {
    // answer: () => [status, ms]; status 0 ends the connection without an answer.
    constructor(answer = () => [200, 0]) {
        this.answer = answer;
        this.secret = null; // of the account, once it is known; until then signatures are kept for later
        this.got = new Map(); // id -> [{ status, completed_at, answered, at }]
        this.badSignatures = 0;
        this.lastAt = 0;
    }

    async start() {
        this.server = createServer((request, response) => {
            const chunks = [];
            request.on("data", (chunk) => chunks.push(chunk));
            request.on("end", () => this.receive(request, Buffer.concat(chunks), response));
            request.on("error", () => {}); // the sender was killed
        });
        await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
        this.url = `http://127.0.0.1:${this.server.address().port}`;
        return this;
    }

    isSigned(headers, body) {
        const key = Buffer.from(this.secret.slice("whsec_".length), "base64");
        const signature = createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`).update(body).digest("base64");
        return (headers["webhook-signature"] ?? "").split(" ").includes(`v1,${signature}`);
    }

    async receive(request, body, response) {
        if (!this.isSigned(request.headers, body)) this.badSignatures++;
        const { id, status, completed_at } = JSON.parse(body);
        const [answered, ms] = this.answer();
        const one = { status, completed_at, message: request.headers["webhook-id"], answered };
        if (!this.got.has(id)) this.got.set(id, []);
        this.got.get(id).push(one);
        this.lastAt = Date.now();
        if (ms) await sleep(ms);
        if (answered) response.writeHead(answered).end("ok");
        else response.destroy();
    }

    // The ends that were sent of one, and those of them that were taken.
    ends(id) {
        const ends = (this.got.get(id) ?? []).filter(({ status }) => TERMINAL.has(status));
        return { ends, taken: ends.filter(({ answered }) => answered === 200) };
    }

    stop() { return new Promise((done) => { this.server.close(done); this.server.closeAllConnections(); }); }
}
