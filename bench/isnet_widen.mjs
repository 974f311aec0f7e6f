// Make the fair opponent for bench/isnet.sh: from the published f16 IS-Net (ONNX) the same network
// in f32, without its Cast nodes and without what only feeds outputs other than `output`.
// With the f16 graph ONNX Runtime spends time and 40 % more memory on casts; we do not want to win
// against that.
//
//     node isnet_widen.mjs isnet-f16.onnx isnet-f32.onnx
//
// Reads and writes protobuf by hand: a message is a list of [field, wire type, value].

import fs from 'node:fs';

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;
const FLOAT = 1, FLOAT16 = 10;

function readVarint(buffer, at) {
    let value = 0n, shift = 0n;
    for (;;) {
        const byte = buffer[at++];
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80)
            return [value, at];
        shift += 7n;
    }
}

function parse(buffer) {
    const fields = [];
    for (let at = 0; at < buffer.length;) {
        let key, value;
        [key, at] = readVarint(buffer, at);
        const field = Number(key >> 3n), wire = Number(key & 7n);
        if (wire === VARINT) {
            [value, at] = readVarint(buffer, at);
        } else {
            let length = wire === FIXED64 ? 8 : 4;
            if (wire === BYTES) {
                [value, at] = readVarint(buffer, at);
                length = Number(value);
            } else if (wire !== FIXED64 && wire !== FIXED32) {
                throw new Error(`wire type ${wire}`);
            }
            value = buffer.subarray(at, at + length);
            at += length;
        }
        fields.push([field, wire, value]);
    }
    return fields;
}

function varint(value) {
    const bytes = [];
    for (value = BigInt(value); value > 0x7fn; value >>= 7n)
        bytes.push(Number(value & 0x7fn) | 0x80);
    bytes.push(Number(value));
    return Buffer.from(bytes);
}

function write(fields) {
    const parts = [];
    for (const [field, wire, value] of fields) {
        parts.push(varint(field * 8 + wire));
        if (wire === VARINT)
            parts.push(varint(value));
        else if (wire === BYTES)
            parts.push(varint(value.length), value);
        else
            parts.push(value);
    }
    return Buffer.concat(parts);
}

const first = (fields, number) => fields.find(([field]) => field === number)?.[2];
const strings = (fields, number) =>
    fields.filter(([field]) => field === number).map(([, , value]) => value.toString());

function halfToFloat(half) {
    const sign = half & 0x8000 ? -1 : 1, exponent = (half >> 10) & 31, fraction = half & 1023;
    if (exponent === 0)
        return sign * fraction * 2 ** -24;
    if (exponent === 31)
        return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// TensorProto: 1 dims, 2 data_type, 5 int32_data, 8 name, 9 raw_data.
function widenTensor(bytes) {
    const fields = parse(bytes);
    if (Number(first(fields, 2) ?? 0n) !== FLOAT16)
        return bytes;
    const raw = first(fields, 9), packed = first(fields, 5), halves = [];
    for (let at = 0; raw && at < raw.length; at += 2)
        halves.push(raw[at] | (raw[at + 1] << 8));
    for (let at = 0; !raw && packed && at < packed.length;) {
        let value;
        [value, at] = readVarint(packed, at);
        halves.push(Number(value));
    }
    const floats = Buffer.alloc(halves.length * 4);
    halves.forEach((half, i) => floats.writeFloatLE(halfToFloat(half), i * 4));
    const kept = fields.filter(([field]) => field === 1 || field === 8);
    return write([...kept, [2, VARINT, BigInt(FLOAT)], [9, BYTES, floats]]);
}

// NodeProto: 1 input, 2 output, 4 op_type, 5 attribute (5 t).
function widenNode(node, renamed) {
    return node.map(([field, wire, value]) => {
        if (field === 1)
            return [field, wire, Buffer.from(renamed.get(value.toString()) ?? value.toString())];
        if (field !== 5)
            return [field, wire, value];
        const attribute = parse(value).map(([number, kind, inner]) =>
            [number, kind, number === 5 ? widenTensor(inner) : inner]);
        return [field, wire, write(attribute)];
    });
}

// GraphProto: 1 node, 2 name, 5 initializer, 11 input, 12 output.
function widenGraph(bytes) {
    const graph = parse(bytes), renamed = new Map(), makers = new Map();
    const isCast = (node) => strings(node, 4)[0] === 'Cast';
    const all = graph.filter(([field]) => field === 1).map(([, , value]) => parse(value));
    for (const node of all.filter(isCast)) // their order in the file is not that of the graph
        renamed.set(strings(node, 2)[0], strings(node, 1)[0]);
    for (const [output, input] of renamed) {
        let name = input;
        while (renamed.has(name))
            name = renamed.get(name);
        renamed.set(output, name);
    }
    let nodes = all.filter((node) => !isCast(node)).map((node) => widenNode(node, renamed));
    // A cast may have made the output itself: then its maker takes the output's name.
    const source = renamed.get('output');
    for (const node of nodes)
        for (const entry of node)
            if (source && (entry[0] === 1 || entry[0] === 2) && entry[2].toString() === source)
                entry[2] = Buffer.from('output');
    nodes.forEach((node) => strings(node, 2).forEach((name) => makers.set(name, node)));
    const wanted = new Set(), names = new Set(['output']), queue = ['output'];
    while (queue.length > 0) {
        const node = makers.get(queue.pop());
        if (!node || wanted.has(node))
            continue;
        wanted.add(node);
        strings(node, 1).forEach((name) => { names.add(name); queue.push(name); });
    }
    nodes = nodes.filter((node) => wanted.has(node));
    const named = (value, field) => names.has(strings(parse(value), field)[0]);
    const initializers = graph.filter(([field, , value]) => field === 5 && named(value, 8));
    console.log(`${nodes.length} nodes, ${initializers.length} initializers`);
    return write([
        ...nodes.map((node) => [1, BYTES, write(node)]),
        ...graph.filter(([field]) => field === 2),
        ...initializers.map(([field, wire, value]) => [field, wire, widenTensor(value)]),
        ...graph.filter(([field]) => field === 11),
        ...graph.filter(([field, , value]) => field === 12 && named(value, 1)
                                              && strings(parse(value), 1)[0] === 'output'),
    ]);
}

const [from, to] = process.argv.slice(2);
if (!to) {
    console.error('use: node isnet_widen.mjs isnet-f16.onnx isnet-f32.onnx');
    process.exit(2);
}
const model = parse(fs.readFileSync(from)); // ModelProto: 7 graph
fs.writeFileSync(to, write(model.map(([field, wire, value]) =>
    [field, wire, field === 7 ? widenGraph(value) : value])));
