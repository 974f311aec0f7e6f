// Make the input of bench/isnet.sh from a picture that `vips` can read: resized to 1024x1024
// (aspect ratio not kept), (x - 128) / 256, planar RGB, raw little-endian f32.
//
//     node isnet_input.mjs photo.jpg in.f32

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync } from 'node:child_process';

const SIZE = 1024;
const [from, to] = process.argv.slice(2);
if (!to) {
    console.error('use: node isnet_input.mjs photo.jpg in.f32');
    process.exit(2);
}
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'isnet-'));
const file = (name) => path.join(folder, name);
try {
    execFileSync('vips', ['thumbnail', from, file('small.ppm'), String(SIZE), '--height',
                          String(SIZE), '--size', 'force']);
    const ppm = fs.readFileSync(file('small.ppm'));
    const pixels = ppm.subarray(ppm.length - SIZE * SIZE * 3);
    const planes = new Float32Array(3 * SIZE * SIZE);
    for (let i = 0; i < SIZE * SIZE; i++)
        for (let channel = 0; channel < 3; channel++)
            planes[channel * SIZE * SIZE + i] = (pixels[i * 3 + channel] - 128) / 256;
    fs.writeFileSync(to, Buffer.from(planes.buffer));
} finally {
    fs.rmSync(folder, { recursive: true });
}
