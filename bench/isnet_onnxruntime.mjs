// IS-Net by ONNX Runtime, the other side of bench/isnet.sh: prints the line bench-isnet prints.
//
//     node isnet_onnxruntime.mjs --model isnet-f32.onnx --input in.f32 [--threads 2] [--runs 5]
//                                [--dump out.f32]
//
// All graph optimisations, default options otherwise; only `output` is fetched. Needs
// `npm install` in this folder (or MIMEO_ONNXRUNTIME = the folder of the unpacked package).

import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const ort = require(process.env.MIMEO_ONNXRUNTIME ?? 'onnxruntime-node');

const options = { threads: '2', runs: '5' };
for (let i = 2; i + 1 < process.argv.length; i += 2)
    options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];

function peakRssMb() {
    return Math.floor(process.resourceUsage().maxRSS / 1024);
}

const floats = (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const session = await ort.InferenceSession.create(options.model, {
    intraOpNumThreads: Number(options.threads),
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    executionProviders: ['cpu'],
});
const input = new ort.Tensor('float32', floats(fs.readFileSync(options.input)), [1, 3, 1024, 1024]);

const times = [];
let matte;
for (let run = 0; run <= Number(options.runs); run++) {
    const start = process.hrtime.bigint();
    matte = (await session.run({ input }, ['output'])).output.data;
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
}
const first = times.shift();
times.sort((a, b) => a - b);
const median = times[Math.floor(times.length / 2)];
console.log(`engine=onnxruntime median_ms=${median.toFixed(1)} best_ms=${times[0].toFixed(1)}`
    + ` first_ms=${first.toFixed(1)} gflops=${(319200 / median).toFixed(0)}`
    + ` peak_rss_mb=${peakRssMb()} threads=${options.threads}`);
if (options.dump)
    fs.writeFileSync(options.dump, Buffer.from(matte.buffer, matte.byteOffset, matte.byteLength));
