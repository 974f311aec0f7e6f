// What goes after its time: the data of predictions, and links.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PIXEL, Server, ended, sleep, until } from "./server.mjs";

let server;
before(async () => { server = await Server.start({ args: ["--retention", "2", "--link-lifetime", "1"] }); });
after(async () => { assert.equal(await server.stop(), 0, server.log); });

test("links end, then input, output and logs go; the record stays and says so", async () => {
    const image = `data:image/png;base64,${PIXEL.toString("base64")}`;
    const { id } = await server.client().predictions.create({ model: "test/copy_file", input: { image } });
    const done = await until(server.client(), id, ended);
    assert.equal((await fetch(done.output)).status, 200);
    await sleep(2100);
    assert.equal((await fetch(done.output)).status, 404);
    const gone = await until(server.client(), id, (prediction) => prediction.data_removed, 15000);
    assert.equal(gone.status, "succeeded");
    assert.deepEqual(gone.input, {});
    assert.equal(gone.output, null);
    assert.equal(gone.logs, "");
    assert.ok(gone.metrics.predict_time >= 0);
    const answer = await server.call("GET", `/v1/predictions/${id}`);
    assert.equal(answer.status, 200);
});
