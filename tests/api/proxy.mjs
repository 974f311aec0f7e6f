// A proxy in front of a server that notes every request and spoils the ones it is told to: what clients do then is the test.
import { createServer, request } from "node:http";

export class Proxy {
    // faults: [method, path's beginning, fault]; each is used once, in order. A fault is a status, { status, headers }, "drop"
    // (the server is not asked, the connection is reset) or "lose" (the server is asked, its answer is thrown away, reset).
    static async start(target) {
        const proxy = new Proxy();
        proxy.faults = [];
        proxy.requests = []; // { method, path, headers, body, at, status }
        const to = new URL(target);
        proxy.server = createServer((incoming, answer) => {
            const chunks = [];
            incoming.on("data", (chunk) => chunks.push(chunk));
            incoming.on("end", () => proxy.handle(to, incoming, Buffer.concat(chunks), answer));
        });
        await new Promise((done) => proxy.server.listen(0, "127.0.0.1", done));
        proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
        return proxy;
    }

    reset(...faults) {
        this.faults = faults;
        this.requests = [];
    }

    count(method, begins) {
        return this.requests.filter((one) => one.method === method && one.path.startsWith(begins)).length;
    }

    handle(to, incoming, body, answer) {
        const entry = { method: incoming.method, path: incoming.url, headers: incoming.headers, body: body.toString(), at: performance.now() };
        this.requests.push(entry);
        const index = this.faults.findIndex(([method, begins]) => method === incoming.method && incoming.url.startsWith(begins));
        const fault = index < 0 ? undefined : this.faults.splice(index, 1)[0][2];
        if (fault === "drop") return incoming.socket.resetAndDestroy();
        if (typeof fault === "number" || fault?.status) {
            entry.status = fault.status ?? fault;
            answer.writeHead(entry.status, { "content-type": "application/problem+json", ...fault.headers });
            return answer.end(JSON.stringify({ detail: "injected", status: entry.status }));
        }
        const outgoing = request({ host: to.hostname, port: to.port, method: incoming.method, path: incoming.url, headers: incoming.headers }, (response) => {
            if (fault === "lose") return response.resume().on("end", () => incoming.socket.resetAndDestroy());
            entry.status = response.statusCode;
            answer.writeHead(response.statusCode, response.headers);
            response.pipe(answer);
        });
        outgoing.on("error", () => incoming.socket.destroy());
        outgoing.end(body);
    }

    async stop() {
        this.server.close();
        this.server.closeAllConnections();
    }
}
