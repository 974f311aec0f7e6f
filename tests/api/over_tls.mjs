// Asks an https server, whose certificate NODE_EXTRA_CA_CERTS names, as the official client does, and tells what it got and what it
// fetched. For outputs.test.mjs.
import Replicate from "replicate";

const image = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const fetched = [];
const noting = async (url, init) => {
    const one = { url: String(url), authorization: new Headers(init?.headers).get("authorization") };
    fetched.push(one);
    const response = await fetch(url, init);
    Object.assign(one, { status: response.status, type: response.headers.get("content-type") });
    return response;
};
const replicate = new Replicate({ auth: process.env.MIMEO_TOKEN, baseUrl: `${process.env.MIMEO_URL}/v1`, fetch: noting });
const output = await replicate.run("test/copy_file", { input: { image } });
const atOnce = fetched.length;
const blob = await output.blob();
console.log(JSON.stringify({ url: output.url().href, bytes: Buffer.from(await blob.arrayBuffer()).toString("base64"), type: blob.type, atOnce, fetched }));
