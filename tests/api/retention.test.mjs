// What is kept how long: data of predictions, links to outputs, streams.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, ended, sleep, until, versionOf } from "./server.mjs";

let server, replicate;
before(async () => {
    server = await Server.start({ args: ["--retention", "2", "--link-lifetime", "1"] });
    replicate = server.client();
});
after(async () => { await server.stop(); });

const files = (folder) => readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)]);

test("a link to an output ends after its lifetime", async () => {
    const made = await replicate.predictions.create({ version: versionOf("copy_file"), input: { image: "data:text/plain;base64,aGVsbG8=" } });
    const { output } = await until(replicate, made.id, ended);
    const link = [output].flat()[0];
    assert.equal((await fetch(link)).status, 200);
    await sleep(2100);
    assert.equal((await fetch(link)).status, 404);
});

test("after the retention a prediction has lost its input, output, logs, files and stream, and is still there", async () => {
    const made = await replicate.predictions.create({ version: versionOf("text_list"), input: { text: "a b" } });
    const copy = await replicate.predictions.create({ version: versionOf("copy_file"), input: { image: "data:text/plain;base64,aGVsbG8=" } });
    assert.deepEqual((await until(replicate, made.id, ended)).output, ["a", "b"]);
    await until(replicate, copy.id, ended);
    const gone = await until(replicate, made.id, (prediction) => prediction.data_removed, 20000);
    assert.deepEqual([gone.status, gone.input, gone.output, gone.logs, gone.data_removed], ["succeeded", {}, null, "", true]);
    assert.ok(gone.completed_at && gone.metrics.predict_time >= 0);
    await until(replicate, copy.id, (prediction) => prediction.data_removed, 20000);
    for (let i = 0; i < 100 && files(join(server.data, "blobs")).length > 0; i++) await sleep(100);
    assert.deepEqual(files(join(server.data, "blobs")), []);
    const stream = await fetch(made.urls.stream, { headers: { accept: "text/event-stream" } });
    assert.equal(stream.status, 404);
});

test("with a retention of 0 data stays", async () => {
    const keeper = await Server.start({ args: ["--retention", "0"] });
    try {
        const made = await keeper.client().predictions.create({ version: versionOf("noop"), input: { text: "kept" } });
        await until(keeper.client(), made.id, ended);
        await sleep(3000);
        assert.equal((await keeper.client().predictions.get(made.id)).output, "kept");
    } finally {
        await keeper.stop();
    }
});
