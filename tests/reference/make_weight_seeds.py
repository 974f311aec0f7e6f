"""Write the small seed files of the weight fuzzers: tests/fuzz/corpus/{onnx,safetensors,ncnn} (torch: make_torch_seeds.py)."""
import json
import os
import struct

FOLDER = os.path.join(os.path.dirname(__file__), "..", "fuzz", "corpus")


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def tensor(name, dims, kind, **data):
    fields = {"float_data": 4, "int32_data": 5, "int64_data": 7, "raw_data": 9}
    out = b"".join(number(1, d) for d in dims) + number(2, kind) + text(8, name)
    return out + b"".join(text(fields[k], v) for k, v in data.items())


def conv(inputs, output):
    return b"".join(text(1, i) for i in inputs) + text(2, output) + text(4, "Conv")


def onnx(nodes, tensors):
    graph = b"".join(text(1, n) for n in nodes) + b"".join(text(5, t) for t in tensors)
    return number(1, 8) + text(2, "mimeo") + text(7, graph)


def safetensors(header, data):
    header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def write(fuzzer, name, data):
    folder = os.path.join(FOLDER, fuzzer)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as out:
        out.write(data)


weight = tensor("onnx::Conv_1", [1, 2], 10, raw_data=struct.pack("<2H", 0x3C00, 0xC000))
bias = tensor("onnx::Conv_2", [1], 1, float_data=struct.pack("<f", 0.5))
write("onnx", "conv", onnx([conv(["x", "onnx::Conv_1", "onnx::Conv_2"],
                                      "/stage1/conv_s1/Conv_output_0")], [weight, bias]))
write("onnx", "int64", onnx([], [tensor("sizes", [2], 7, int64_data=varint(300) + varint(1))]))
write("onnx", "halves_as_int32", onnx([], [tensor("h", [1], 10, int32_data=varint(0x3C00))]))
write("onnx", "scalar", onnx([], [tensor("one", [], 2, raw_data=b"\x07")]))

write("safetensors", "three_types", safetensors(
    {"__metadata__": {"format": "pt"},
     "a.weight": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]},
     "a.bias": {"dtype": "F16", "shape": [2], "data_offsets": [4, 8]},
     "count": {"dtype": "I64", "shape": [], "data_offsets": [8, 16]}}, bytes(range(16))))
write("safetensors", "empty", safetensors({}, b""))
write("safetensors", "bf16", safetensors(
    {"b": {"dtype": "BF16", "shape": [0, 3], "data_offsets": [0, 0]}}, b""))


def ncnn(layers, data):
    """The .param, a zero byte, the .bin: as fuzz_ncnn.c takes them apart."""
    lines = ["7767517", f"{len(layers)} {len(layers)}"] + layers
    return "\n".join(lines).encode() + b"\n\0" + data


F16, F32, RAW = (struct.pack("<I", tag) for tag in (0x01306B47, 0, 0x0002C056))
write("ncnn", "halves", ncnn(
    ["Input data 0 1 data", "Convolution c 1 1 data a 0=1 1=3 4=1 5=1 6=27 9=2 -23310=1,0.2", "PReLU p 1 1 a out 0=1"],
    F16 + bytes(54) + bytes(2) + struct.pack("<2f", 0.5, 0.25)))
write("ncnn", "all_types", ncnn(
    ["Input data 0 1 data", "Split s 1 2 data a b", "ConvolutionDepthWise cd 1 1 a c 0=2 1=3 11=1 5=0 6=6 7=2",
     "Deconvolution d 1 1 b e 0=1 1=2 5=1 6=8", "InnerProduct i 1 1 e f 0=2 1=1 2=6", "BatchNorm bn 1 1 f g 0=2",
     "Scale sc 1 1 g h 0=2 1=1", "Scale st 2 1 g h k 0=-233", "BinaryOp bo 2 1 h k out 0=0"],
    RAW + bytes(24) + F32 + bytes(32) + bytes(4) + F32 + bytes(24) + bytes(8) + bytes(32) + bytes(16)))
