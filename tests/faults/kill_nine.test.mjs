// The short form of kill_nine.mjs that `make test` runs; `make faults` runs 1,000 cycles.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WRONG, describe, killNine } from "./kill_nine.mjs";

test("kill -9 of server and runners under load loses nothing, leaves nothing unfinished, ends, tells and books nothing twice", { timeout: 300_000 }, async (context) => {
    const said = [];
    const result = await killNine({ cycles: 20, seconds: 30, seed: Number(process.env.MIMEO_SEED ?? Date.now() % 1e9), say: (line) => said.push(line) });
    context.diagnostic(describe(result));
    assert.ok(result.cycles >= 10, `only ${result.cycles} cycles`);
    assert.ok(result.serverKills > 0 && result.accepted > 0 && result.webhooks > 0 && result.keys > 0, JSON.stringify(result));
    const wrong = Object.fromEntries(WRONG.map((name) => [name, result[name]]));
    assert.deepEqual(wrong, Object.fromEntries(WRONG.map((name) => [name, 0])), said.join("\n"));
});
