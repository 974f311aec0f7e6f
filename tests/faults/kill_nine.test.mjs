// The short form of kill_nine.mjs that `make test` runs; `make faults` runs 1,000 cycles.
import assert from "node:assert/strict";
import { test } from "node:test";
import { killNine } from "./kill_nine.mjs";

test("kill -9 of server and runners under load loses nothing, leaves nothing unfinished, ends nothing twice", { timeout: 300_000 }, async () => {
    const said = [];
    const result = await killNine({ cycles: 30, seconds: 60, seed: Number(process.env.MIMEO_SEED ?? Date.now() % 1e9), say: (line) => said.push(line) });
    assert.ok(result.cycles >= 10, `only ${result.cycles} cycles`);
    assert.ok(result.serverKills > 0 && result.accepted > 0, JSON.stringify(result));
    const { lost, stuck, double, orphans } = result;
    assert.deepEqual({ lost, stuck, double, orphans }, { lost: 0, stuck: 0, double: 0, orphans: 0 }, said.join("\n"));
});
