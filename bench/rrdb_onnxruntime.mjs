// RRDBNet by ONNX Runtime, the other side of bench/rrdb.sh: prints the line that bench-rrdb prints.
//
//     node rrdb_onnxruntime.mjs --folder EXPORTED [--threads 2] [--runs 3] [--dump out.f32]
//                               [--save rrdb.onnx]
//
// EXPORTED is what bench-rrdb --export wrote. The graph is the best case of the network: f32, fixed
// sizes, the scales of 0.2 folded into weights, so that a dense block is five convolutions, four
// activations and one addition, which the runtime fuses. All graph optimisations. Needs
// `npm install` in this folder (or MIMEO_ONNXRUNTIME = the folder of the unpacked package).
// With --runs 0 nothing is run.

import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { Graph } from './onnx_write.mjs';

const SCALE = 0.2, SLOPE = 0.2, DENSE = 3, CONVS = 5;

const options = { threads: '2', runs: '3' };
for (let i = 2; i + 1 < process.argv.length; i += 2)
    options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];

const floats = (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const file = (name) => path.join(options.folder, name);
const { features, growth, depth, size } = JSON.parse(fs.readFileSync(file('shape.json')));

// The tensors stand in the file in the order of the network.
function build() {
    const graph = new Graph('rrdb'), all = floats(fs.readFileSync(file('weights.f32')));
    let at = 0;
    const take = (count) => all.slice(at, at += count);

    // `scale` of the filter, and `keep` of its first `out` inputs in the middle.
    function conv(name, from, into, out, channels, { scale = 1, keep = 0 } = {}) {
        const weights = take(out * channels * 9).map((value) => value * scale);
        const bias = take(out).map((value) => value * scale);
        for (let i = 0; keep && i < out; i++)
            weights[(i * channels + i) * 9 + 4] += keep;
        graph.tensor(`${name}.w`, [out, channels, 3, 3], weights);
        graph.tensor(`${name}.b`, [out], bias);
        graph.node('Conv', [from, `${name}.w`, `${name}.b`], into,
            { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1] });
    }
    const leaky = (from, into) => graph.node('LeakyRelu', [from], into, { alpha: SLOPE });
    const join = (names, into) => graph.node('Concat', names, into, { axis: { int: 1 } });
    const add = (a, b, into) => graph.node('Add', [a, b], into);

    function dense(name, from, rrdb) {
        const parts = [from];
        for (let i = 0; i < CONVS; i++) {
            const channels = features + i * growth;
            let source = from;
            if (i > 0)
                join(parts, source = `${name}.wide${i}`);
            if (i + 1 < CONVS) {
                conv(`${name}.conv${i}`, source, `${name}.sum${i}`, growth, channels);
                leaky(`${name}.sum${i}`, `${name}.part${i}`);
                parts.push(`${name}.part${i}`);
            } else {
                // 0.2 (0.2 W x + x) + input = (0.04 W + 0.2) x + input
                conv(`${name}.conv${i}`, source, `${name}.grown`, features, channels,
                    rrdb ? { scale: SCALE * SCALE, keep: SCALE } : { scale: SCALE });
                add(`${name}.grown`, rrdb ?? from, `${name}.out`);
            }
        }
        return `${name}.out`;
    }
    function twice(from, into) {
        graph.node('Resize', [from, '', 'scales'], into,
            { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' });
    }

    graph.input('input', [1, 3, size, size]);
    graph.tensor('scales', [4], new Float32Array([1, 1, 2, 2]));
    conv('first', 'input', 'shallow', features, 3);
    let last = 'shallow';
    for (let block = 0; block < depth; block++) {
        const input = last;
        for (let i = 0; i < DENSE; i++)
            last = dense(`body${block}.${i}`, last, i === DENSE - 1 ? input : undefined);
    }
    conv('body', last, 'deep', features, features);
    add('deep', 'shallow', 'small');
    last = 'small';
    for (const name of ['up1', 'up2']) {
        twice(last, `${name}.large`);
        conv(name, `${name}.large`, `${name}.sum`, features, features);
        leaky(`${name}.sum`, last = `${name}.out`);
    }
    conv('hr', last, 'hr.sum', features, features);
    leaky('hr.sum', 'hr.out');
    conv('last', 'hr.out', 'output', 3, features);
    graph.output('output', [1, 3, 4 * size, 4 * size]);
    return graph.model();
}

const model = build();
if (options.save)
    fs.writeFileSync(options.save, model);
if (Number(options.runs) > 0) {
    const require = createRequire(import.meta.url);
    const ort = require(process.env.MIMEO_ONNXRUNTIME ?? 'onnxruntime-node');
    const session = await ort.InferenceSession.create(model, {
        intraOpNumThreads: Number(options.threads),
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        executionProviders: ['cpu'],
    });
    const input = new ort.Tensor('float32', floats(fs.readFileSync(file('input.f32'))),
        [1, 3, size, size]);
    const times = [];
    let output;
    for (let run = 0; run <= Number(options.runs); run++) {
        const start = process.hrtime.bigint();
        output = (await session.run({ input }, ['output'])).output.data;
        times.push(Number(process.hrtime.bigint() - start) / 1e6);
    }
    const first = times.shift();
    times.sort((a, b) => a - b);
    const median = times[Math.floor(times.length / 2)];
    console.log(`engine=onnxruntime median_ms=${median.toFixed(1)} best_ms=${times[0].toFixed(1)}`
        + ` first_ms=${first.toFixed(1)}`
        + ` peak_rss_mb=${Math.floor(process.resourceUsage().maxRSS / 1024)}`
        + ` threads=${options.threads}`);
    if (options.dump)
        fs.writeFileSync(options.dump,
            Buffer.from(output.buffer, output.byteOffset, output.byteLength));
}
