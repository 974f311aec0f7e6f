// Asks an https server, whose certificate NODE_EXTRA_CA_CERTS names, as the official client does. For outputs.test.mjs.
import Replicate from "replicate";

const image = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const replicate = new Replicate({ auth: process.env.MIMEO_TOKEN, baseUrl: `${process.env.MIMEO_URL}/v1` });
const output = await replicate.run("test/copy_file", { input: { image } });
console.log(JSON.stringify({ url: output.url().href, bytes: Buffer.from(await (await output.blob()).arrayBuffer()).toString("base64") }));
