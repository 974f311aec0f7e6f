// kill -9 at every step that changes the disk, of a picture that gets a note of its making, and of data that is removed at its
// owner's word. After the next start there is one file for each record that names one, whole, and none for the others.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertSteps, filesIn, killAtEveryStep } from "./crash_points.mjs";

const limits = { timeout: 240_000 };
const png = readFileSync(fileURLToPath(new URL("../fuzz/corpus/picture_note/rgb.png", import.meta.url)));
const image = `data:image/png;base64,${png.toString("base64")}`;
const create = (server, input = { image }) => server.call("POST", "/v1/models/test/copy_file/predictions", { input }, { prefer: "wait=20", "mimeo-source": "web" });

// The picture, all of it, with its note: never half of either.
async function assertPicture(server, id, step) {
    const record = await server.until(id);
    assert.equal(record.status, "succeeded", `step ${step}: ${record.error}`);
    const output = Buffer.from(await (await fetch(record.output)).arrayBuffer());
    const note = output.indexOf("iTXtmimeo\0");
    assert.ok(note > 0, `step ${step}: it has no note`);
    const end = note + 8 + output.readUInt32BE(note - 4);
    assert.deepEqual(Buffer.concat([output.subarray(0, note - 4), output.subarray(end)]), png, `step ${step}`);
    assert.equal(JSON.parse(output.subarray(note + 14, end - 4)).prediction, id, `step ${step}`);
}

test("a picture with its note", limits, async (context) => {
    assertSteps(context, await killAtEveryStep({
        act: async (server) => (await create(server)).body.id,
        check: async (server, _, id, step) => {
            for (const record of (await server.call("GET", "/v1/predictions")).body.results) await assertPicture(server, record.id, step);
            if (id) assert.equal((await server.call("GET", `/v1/predictions/${id}`)).status, 200, `step ${step}`);
            assert.deepEqual(filesIn(`${server.data}/blobs/temporary`), [], `step ${step}`);
        },
    }), 6);
});

test("data that is removed at its owner's word", limits, async (context) => {
    const remove = (server, id) => server.call("DELETE", `/v1/predictions/${id}`);
    assertSteps(context, await killAtEveryStep({
        prepare: async (server) => (await create(server)).body.id,
        act: async (server, id) => (await remove(server, id)).status,
        check: async (server, id, status, step) => {
            const { body } = await server.call("GET", `/v1/predictions/${id}`);
            if (status) assert.deepEqual([status, body.data_removed], [204, true], `step ${step}`);
            if (!body.data_removed) await assertPicture(server, id, step); // nothing of it has gone
            assert.equal((await remove(server, id)).status, 204, `step ${step}`);
        },
    }), 3);
});

test("data that is removed as soon as it has ended, while its end is being settled", limits, async (context) => {
    assertSteps(context, await killAtEveryStep({
        act: async (server) => {
            const { id } = (await create(server)).body;
            return (await server.call("DELETE", `/v1/predictions/${id}`)).status;
        },
        check: async (server, _, status, step) => { if (status) assert.equal(status, 204, `step ${step}`); },
    }), 8);
});
