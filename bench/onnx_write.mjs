// A small ONNX writer for the benchmarks: networks as lists of nodes and f32 tensors. Protobuf by
// hand, like isnet_widen.mjs reads it.
//
//     const graph = new Graph('net');
//     graph.input('x', [1, 3, 8, 8]);
//     graph.tensor('w', [3, 3, 1, 1], floats);
//     graph.node('Conv', ['x', 'w'], 'y', { kernel_shape: [1, 1] });
//     graph.output('y', [1, 3, 8, 8]);
//     const bytes = graph.model();

const VARINT = 0, BYTES = 2, FIXED32 = 5;
const FLOAT = 1; // TensorProto.DataType
const OPSET = 13, IR_VERSION = 7;

function varint(value) {
    const bytes = [];
    for (value = BigInt(value); value > 0x7fn; value >>= 7n)
        bytes.push(Number(value & 0x7fn) | 0x80);
    bytes.push(Number(value));
    return Buffer.from(bytes);
}

const number = (field, value) => Buffer.concat([varint(field * 8 + VARINT), varint(value)]);

function bytes(field, value) {
    const content = typeof value === 'string' ? Buffer.from(value) : value;
    return Buffer.concat([varint(field * 8 + BYTES), varint(content.length), content]);
}

function float(field, value) {
    const content = Buffer.alloc(4);
    content.writeFloatLE(value);
    return Buffer.concat([varint(field * 8 + FIXED32), content]);
}

// AttributeProto: 1 name, 2 f, 3 i, 4 s, 8 ints, 20 type. Integers are lists or { int }.
function attribute(name, value) {
    if (typeof value === 'string')
        return Buffer.concat([bytes(1, name), bytes(4, value), number(20, 3)]);
    if (typeof value === 'number')
        return Buffer.concat([bytes(1, name), float(2, value), number(20, 1)]);
    if (Array.isArray(value))
        return Buffer.concat([bytes(1, name), ...value.map((i) => number(8, i)), number(20, 7)]);
    return Buffer.concat([bytes(1, name), number(3, value.int), number(20, 2)]);
}

// ValueInfoProto: 1 name, 2 type; TypeProto: 1 tensor_type; its 1 elem_type, 2 shape.
function valueInfo(name, shape) {
    const dims = Buffer.concat(shape.map((size) => bytes(1, number(1, size))));
    const tensor = Buffer.concat([number(1, FLOAT), bytes(2, dims)]);
    return Buffer.concat([bytes(1, name), bytes(2, bytes(1, tensor))]);
}

export class Graph {
    constructor(name) {
        this.parts = [bytes(2, name)];
    }

    input(name, shape) {
        this.parts.push(bytes(11, valueInfo(name, shape)));
    }

    output(name, shape) {
        this.parts.push(bytes(12, valueInfo(name, shape)));
    }

    // `floats` is not kept.
    tensor(name, shape, floats) {
        const raw = Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
        this.parts.push(bytes(5, Buffer.concat([...shape.map((size) => number(1, size)),
            number(2, FLOAT), bytes(8, name), bytes(9, raw)])));
    }

    node(type, inputs, output, attributes = {}) {
        this.parts.push(bytes(1, Buffer.concat([...inputs.map((name) => bytes(1, name)),
            bytes(2, output), bytes(3, output), bytes(4, type),
            ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value)))])));
    }

    model() {
        return Buffer.concat([number(1, IR_VERSION), bytes(8, number(2, OPSET)),
            bytes(7, Buffer.concat(this.parts))]);
    }
}
