// @vitest-environment node
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { SNIPPETS } from "./snippets";

const SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const BODY = '{"id":"abc","output":"привет"}';
const folder = mkdtempSync(join(tmpdir(), "snippets-"));
afterAll(() => rmSync(folder, { recursive: true }));

function headersFor(body: string, at_s: number): Record<string, string> {
    const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
    const signature = createHmac("sha256", key).update(`msg_1.${at_s}.${body}`).digest("base64");
    return { "webhook-id": "msg_1", "webhook-timestamp": String(at_s), "webhook-signature": `v1,b3RoZXI= v1,${signature}` };
}

/** What each language's code says of a request, run as it is shown. */
function ask(language: string, code: string, headers: Record<string, string>): boolean {
    const environment = { ...process.env, WEBHOOK_SECRET: SECRET, HEADERS: JSON.stringify(headers), BODY };
    const [program, file, call] =
        language === "Python"
            ? ["python3", "check.py", "\nimport json\nprint(json.dumps(is_genuine(json.loads(os.environ['HEADERS']), os.environ['BODY'].encode())))\n"]
            : ["node", "check.mjs", "\nconsole.log(isGenuine(JSON.parse(process.env.HEADERS), Buffer.from(process.env.BODY)));\n"];
    writeFileSync(join(folder, file), code + call);
    return execFileSync(program, [join(folder, file)], { env: environment, encoding: "utf8" }).trim() === "true";
}

describe.each(SNIPPETS)("the $name code", ({ name, code }) => {
    const now_s = Math.floor(Date.now() / 1000);
    it("takes a genuine webhook, also with two signatures", () => expect(ask(name, code, headersFor(BODY, now_s))).toBe(true));
    it("refuses another body's signature", () => expect(ask(name, code, headersFor("{}", now_s))).toBe(false));
    it("refuses an old one", () => expect(ask(name, code, headersFor(BODY, now_s - 3600))).toBe(false));
    it("refuses one without headers", () => expect(ask(name, code, {})).toBe(false));
});
