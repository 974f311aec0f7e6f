/* Makes tests/golden/isnet.f32, what tests/golden/isnet_test.c compares with: the matte that ONNX
 * Runtime computes for tests/golden/allium.png from the published half-precision IS-Net.
 *
 *     npm install --no-save onnxruntime-node@1.30.0
 *     node tests/reference/isnet_onnxruntime.mjs isnet.onnx [matte.f32]
 *
 * Independent of the C code on purpose: its own PNG reader, its own resize, its own walk over the
 * ONNX file. The graph is turned to single precision first (weights widened, casts to half made
 * casts to single), because the comparison is with a single-precision engine and its tolerance is
 * far below half precision.
 *
 * The fixture: 64 x 64 values of the matte, every 16th row and column from 8, then the 128 x 128
 * crop at row 128, column 512 (petals against the background), all little-endian f32. */
import { readFileSync, writeFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { createRequire } from 'node:module';

const SIZE = 1024;
const [weightsPath, mattePath] = process.argv.slice(2);
const ort = createRequire(process.cwd() + '/')('onnxruntime-node');

/* ---- protobuf ---- */

function readVarint(bytes, at) {
    let value = 0n, shift = 0n;
    for (;;) {
        const byte = bytes[at++];
        value |= BigInt(byte & 127) << shift;
        shift += 7n;
        if (byte < 128) return [value, at];
    }
}

function writeVarint(value) {
    const out = [];
    for (value = BigInt(value); value > 127n; value >>= 7n) out.push(Number(value & 127n) | 128);
    out.push(Number(value));
    return Buffer.from(out);
}

/* The fields of a message as { number, wire, value }, value a BigInt or a Buffer. */
function* fields(bytes) {
    for (let at = 0; at < bytes.length;) {
        let key, value;
        [key, at] = readVarint(bytes, at);
        const wire = Number(key & 7n);
        if (wire === 0) [value, at] = readVarint(bytes, at);
        else {
            let len = wire === 1 ? 8 : 4;
            if (wire === 2) {
                [value, at] = readVarint(bytes, at);
                len = Number(value);
            }
            value = bytes.subarray(at, at += len);
        }
        yield { number: Number(key >> 3n), wire, value };
    }
}

function write({ number, wire, value }) {
    const key = writeVarint(BigInt(number) << 3n | BigInt(wire));
    if (wire === 0) return Buffer.concat([key, writeVarint(value)]);
    return Buffer.concat(wire === 2 ? [key, writeVarint(value.length), value] : [key, value]);
}

/* A message rebuilt with each field replaced by what change(field) gives; null drops it. */
function rewrite(bytes, change) {
    const out = [];
    for (const field of fields(bytes)) {
        const changed = change(field);
        if (changed) out.push(write(changed));
    }
    return Buffer.concat(out);
}

/* ---- half to single ---- */

function halfToSingle(half) {
    const sign = half & 0x8000 ? -1 : 1, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function widenTensor(bytes) {
    const isHalf = [...fields(bytes)].some((f) => f.number === 2 && f.value === 10n);
    if (!isHalf) return bytes;
    return rewrite(bytes, (field) => {
        if (field.number === 2) return { ...field, value: 1n };
        if (field.number !== 9) return field;
        const singles = Buffer.alloc(field.value.length * 2);
        for (let i = 0; i < field.value.length; i += 2)
            singles.writeFloatLE(halfToSingle(field.value.readUInt16LE(i)), i * 2);
        return { ...field, value: singles };
    });
}

function widenAttribute(bytes) {
    const name = [...fields(bytes)].find((f) => f.number === 1).value.toString();
    return rewrite(bytes, (field) => {
        if (name === 'to' && field.number === 3 && field.value === 10n) return { ...field, value: 1n };
        if (field.number === 5) return { ...field, value: widenTensor(field.value) };
        return field;
    });
}

function widenGraph(bytes) {
    return rewrite(bytes, (field) => {
        if (field.number === 13) return null; /* the types of intermediate values: recomputed */
        if (field.number === 5) return { ...field, value: widenTensor(field.value) };
        if (field.number !== 1) return field;
        return { ...field, value: rewrite(field.value, (inner) =>
            inner.number === 5 ? { ...inner, value: widenAttribute(inner.value) } : inner) };
    });
}

/* ---- picture to input ---- */

function paeth(a, b, c) {
    const pa = Math.abs(b - c), pb = Math.abs(a - c), pc = Math.abs(a + b - 2 * c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/* An 8-bit RGB PNG without interlace. */
function readPng(path) {
    const file = readFileSync(path), parts = [];
    for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at))
        if (file.toString('latin1', at + 4, at + 8) === 'IDAT')
            parts.push(file.subarray(at + 8, at + 8 + file.readUInt32BE(at)));
    const width = file.readUInt32BE(16), height = file.readUInt32BE(20), stride = width * 3;
    if (file[24] !== 8 || file[25] !== 2 || file[28] !== 0) throw new Error('not that kind of PNG');
    const raw = inflateSync(Buffer.concat(parts)), pixels = new Uint8Array(height * stride);
    for (let y = 0; y < height; y++) {
        const filter = raw[y * (stride + 1)];
        for (let i = 0; i < stride; i++) {
            const at = y * stride + i;
            const a = i >= 3 ? pixels[at - 3] : 0, b = y ? pixels[at - stride] : 0;
            const c = y && i >= 3 ? pixels[at - stride - 3] : 0;
            const guess = [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter];
            pixels[at] = raw[y * (stride + 1) + 1 + i] + guess;
        }
    }
    return { width, height, pixels };
}

/* Two neighbours and the share of the second: pixel centres at half coordinates. */
function taps(from, to) {
    return Array.from({ length: to }, (_, i) => {
        const at = Math.max(0, (i + 0.5) * from / to - 0.5), low = Math.min(Math.floor(at), from - 1);
        return [low, Math.min(low + 1, from - 1), at - low];
    });
}

function inputOf({ width, height, pixels }) {
    const input = new Float32Array(3 * SIZE * SIZE), columns = taps(width, SIZE), rows = taps(height, SIZE);
    for (let c = 0; c < 3; c++)
        for (let y = 0; y < SIZE; y++)
            for (let x = 0; x < SIZE; x++) {
                const [x0, x1, fx] = columns[x], [y0, y1, fy] = rows[y];
                const at = (px, py) => pixels[(py * width + px) * 3 + c];
                const above = at(x0, y0) * (1 - fx) + at(x1, y0) * fx;
                const below = at(x0, y1) * (1 - fx) + at(x1, y1) * fx;
                input[(c * SIZE + y) * SIZE + x] = (above * (1 - fy) + below * fy - 128) / 256;
            }
    return input;
}

/* ---- run ---- */

const golden = new URL('../golden/', import.meta.url);
const model = rewrite(readFileSync(weightsPath), (field) =>
    field.number === 7 ? { ...field, value: widenGraph(field.value) } : field);
const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 2 });
const input = inputOf(readPng(new URL('allium.png', golden)));
const name = session.outputNames[0];
const result = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', input, [1, 3, SIZE, SIZE]) }, [name]);
const matte = result[name].data;
if (mattePath) writeFileSync(mattePath, Buffer.from(matte.buffer, matte.byteOffset, matte.byteLength));

const fixture = [];
for (let y = 8; y < SIZE; y += 16) for (let x = 8; x < SIZE; x += 16) fixture.push(matte[y * SIZE + x]);
for (let y = 128; y < 256; y++) for (let x = 512; x < 640; x++) fixture.push(matte[y * SIZE + x]);
writeFileSync(new URL('isnet.f32', golden), Buffer.from(Float32Array.from(fixture).buffer));
console.log(`${name}: ${fixture.length} values, ${Math.min(...fixture)} to ${Math.max(...fixture)}`);
