// kill -9 at every step that changes the disk, one after the other, of an upload, of a deletion, of a prediction with an output
// file, and of its retention: afterwards and after the next start there is exactly one blob per record, and no work file.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertSteps, eventually, filesIn, killAtEveryStep } from "./crash_points.mjs";
import { TERMINAL } from "./server.mjs";

test("an upload", { timeout: 120_000 }, async (context) => {
    assertSteps(context, await killAtEveryStep({ act: (server) => server.upload("x".repeat(1000)) }), 4);
});

test("a deletion", { timeout: 120_000 }, async (context) => {
    assertSteps(context, await killAtEveryStep({
        prepare: async (server) => (await server.upload("x")).body.id,
        act: (server, id) => server.call("DELETE", `/v1/files/${id}`),
    }), 3);
});

test("a prediction with an output file", { timeout: 120_000 }, async (context) => {
    assertSteps(context, await killAtEveryStep({
        prepare: (server) => server.predict("noop", {}, 20),
        act: async (server) => {
            const made = await server.predict("copy_file", { image: "data:,x" }, 20);
            assert.ok(TERMINAL.has(made.body.status));
        },
    }), 6);
});

test("the retention of a prediction with an output file", { timeout: 180_000 }, async (context) => {
    assertSteps(context, await killAtEveryStep({
        args: ["--retention", "1"],
        prepare: async (server) => (await server.predict("copy_file", { image: "data:,x" }, 20)).body.id,
        act: (server, id) => server.until(id, (prediction) => prediction.data_removed, 5000),
        check: async (server, id) => {
            const { status, output, input } = await server.until(id, (prediction) => prediction.data_removed);
            assert.deepEqual([status, output ?? null, Object.keys(input ?? {})], ["succeeded", null, []]);
            await eventually(() => filesIn(`${server.data}/blobs`).length === 0, "its file goes");
        },
    }), 4);
});
