"""What PyTorch makes of the operators of engine/plane.h, engine/sample.h and engine/conv.h.

    python tests/reference/operators.py      (pip install torch torchvision numpy safetensors)

writes tests/golden/operators_plane.safetensors and operators_conv.safetensors. Each case is two tensors:
"NNN.parameters", numbers whose meaning the tests know (the operator first, then channels, height and
width of the source), and "NNN.result", evenly spread samples of the result (all of it when it is small).
Inputs are not stored: seeded.py makes them from the names "NNN.src", "NNN.weight", ...
"""
import random

import numpy
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

import seeded

SAMPLES = 997  # of a result at most; see tests/golden/compare.h

POOL_MAX, POOL_AVERAGE, MEAN, RESIZE, PAD, CROP, SHUFFLE, UNSHUFFLE, MULTIPLY, ACTIVATE, AFFINE, TRANSFORM, GRID, ADD = range(14)
NEAREST, BILINEAR, CORNERS, BICUBIC, AREA = range(5)
ZERO, REPLICATE, REFLECT = range(3)
RELU, LEAKY, SILU, GELU, GELU_TANH, SIGMOID, TANH = range(7)
CONV_NONE, CONV_RELU, CONV_LEAKY, CONV_PRELU = range(4)


class Cases:
    def __init__(self, path):
        self.path, self.tensors, self.count = path, {}, 0

    def make(self, name, *shape):
        """Uniform numbers between -1.73 and 1.73."""
        count = int(numpy.prod(shape))
        return torch.from_numpy(seeded.values(f"{self.count:03}.{name}", (count, 1)).reshape(shape))

    def add(self, parameters, result):
        flat = result.detach().numpy().astype(numpy.float32).ravel()
        count = min(flat.size, SAMPLES)
        picked = flat[numpy.arange(count, dtype=numpy.int64) * flat.size // count]
        self.tensors[f"{self.count:03}.parameters"] = numpy.array(parameters, dtype=numpy.float32)
        self.tensors[f"{self.count:03}.result"] = picked
        self.count += 1

    def save(self):
        save_file(self.tensors, self.path)
        print(self.path, self.count, "cases")


def resize(src, kind, height, width):
    mode = ["nearest", "bilinear", "bilinear", "bicubic", "area"][kind]
    if kind in (NEAREST, AREA):
        return F.interpolate(src[None], (height, width), mode=mode)[0]
    return F.interpolate(src[None], (height, width), mode=mode, align_corners=kind == CORNERS)[0]


def planes():
    cases = Cases("tests/golden/operators_plane.safetensors")

    def src(c, h, w, name="src"):
        return cases.make(name, c, h, w)

    for c, h, w in [(3, 1, 1), (17, 5, 8), (40, 7, 6)]:
        cases.add([POOL_MAX, c, h, w], F.max_pool2d(src(c, h, w)[None], 2, 2, ceil_mode=True)[0])
    for c, h, w in [(5, 2, 2), (33, 6, 5), (16, 9, 3)]:
        cases.add([POOL_AVERAGE, c, h, w], F.avg_pool2d(src(c, h, w)[None], 2, 1)[0])
    for c, h, w in [(1, 1, 1), (19, 13, 21), (64, 40, 33)]:
        cases.add([MEAN, c, h, w], src(c, h, w).mean((1, 2), keepdim=True))
    sizes = [
        (3, 1, 1, 4, 7), (17, 6, 5, 12, 10), (20, 12, 14, 6, 7), (9, 7, 11, 13, 5), (33, 5, 3, 7, 7), (2, 37, 41, 29, 53), (5, 9, 9, 9, 9), (1, 5, 6, 1, 1),
    ]
    for kind in (NEAREST, BILINEAR, CORNERS, BICUBIC, AREA):
        for c, h, w, height, width in sizes:
            cases.add([RESIZE, c, h, w, kind, height, width], resize(src(c, h, w), kind, height, width))
    for border, mode in ((ZERO, "constant"), (REPLICATE, "replicate"), (REFLECT, "reflect")):
        for c, h, w, top, left, bottom, right in [(17, 4, 5, 1, 2, 3, 0), (3, 6, 3, 5, 2, 0, 1), (32, 2, 2, 1, 1, 1, 1)]:
            out = F.pad(src(c, h, w)[None], (left, right, top, bottom), mode=mode)[0]
            cases.add([PAD, c, h, w, border, top, left, bottom, right], out)
    for c, h, w, top, left, height, width in [(17, 7, 9, 2, 3, 4, 5), (5, 3, 3, 0, 0, 3, 3), (30, 5, 5, 4, 4, 1, 1)]:
        cases.add([CROP, c, h, w, top, left, height, width], src(c, h, w)[:, top : top + height, left : left + width])
    for ratio, c, h, w in [(2, 3, 4, 5), (2, 17, 2, 3), (4, 5, 3, 2), (3, 20, 2, 1), (2, 64, 2, 2), (4, 48, 1, 2), (5, 17, 1, 2)]:
        cases.add([SHUFFLE, c * ratio * ratio, h, w, ratio], F.pixel_shuffle(src(c * ratio * ratio, h, w)[None], ratio)[0])
        cases.add([UNSHUFFLE, c, h * ratio, w * ratio, ratio], F.pixel_unshuffle(src(c, h * ratio, w * ratio)[None], ratio)[0])
    for c, h, w in [(5, 3, 7), (24, 4, 5), (17, 1, 1)]:
        for b in [(c, h, w), (c, 1, 1), (1, h, w)]:
            cases.add([MULTIPLY, c, h, w, *b], src(c, h, w) * src(*b, "other"))
        cases.add([ADD, c, h, w], src(c, h, w) + src(c, h, w, "other"))
        cases.add([TRANSFORM, c, h, w], src(c, h, w) * src(c, h, w, "other") + src(c, h, w, "shift"))
    functions = [F.relu, lambda x: F.leaky_relu(x, 0.2), F.silu, F.gelu, lambda x: F.gelu(x, approximate="tanh"), torch.sigmoid, torch.tanh]
    for kind, function in enumerate(functions):
        for scale, (c, h, w) in [(1, (17, 5, 4)), (9, (5, 9, 11))]:
            cases.add([ACTIVATE, c, h, w, kind, 0.2, scale], function(src(c, h, w) * scale))
    for c, h, w, slope, parts in [(17, 5, 6, 0.2, 7), (5, 4, 4, 1, 1), (32, 3, 3, 0, 2), (20, 3, 5, 1, 4)]:
        out = src(c, h, w)
        out = out * src(c, 1, 1, "scale") if parts & 1 else out
        out = out + src(1, h, w, "map") * 0.3 if parts & 4 else out
        out = out + src(c, 1, 1, "bias") if parts & 2 else out
        cases.add([AFFINE, c, h, w, slope, parts, 0.3], F.leaky_relu(out, slope) if slope else F.relu(out))
    for corners in (0, 1):
        for border in (ZERO, REPLICATE):
            for c, h, w, height, width in [(17, 6, 7, 5, 8), (3, 1, 4, 9, 3)]:
                grid = src(2, height, width, "grid") * 0.8
                out = F.grid_sample(src(c, h, w)[None], grid.permute(1, 2, 0)[None], mode="bilinear",
                                    padding_mode="border" if border else "zeros", align_corners=bool(corners))[0]
                cases.add([GRID, c, h, w, corners, border, height, width], out)
    cases.save()


def convolution(cases, pick, kind):
    """One case: parameters and result."""
    groups, kernel, stride, dilation = 1, pick.choice([1, 2, 3, 4, 5]), pick.choice([1, 2, 3]), 1
    c_in, c_out = pick.choice([3, 8, 16, 17, 40]), pick.choice([1, 5, 16, 24, 33])
    height, width = pick.randint(1, 13), pick.randint(1, 19)
    end, padding = pick.choice([0, 0, 1, 2]), pick.randint(0, kernel // 2)
    if kind == "depthwise":
        c_in = c_out = groups = pick.choice([2, 8, 17, 40])
        kernel, stride = pick.choice([1, 2, 3, 5, 7, 7, 9]), pick.choice([1, 1, 1, 2])
        dilation, padding = pick.choice([1, 1, 1, 2]), kernel // 2
    if kind == "grouped":
        groups = pick.choice([2, 3, 4])
        c_in, c_out = groups * pick.choice([1, 4, 8, 16]), groups * pick.choice([2, 8, 16])
        dilation = pick.choice([1, 1, 2])
    if kind == "transposed":
        stride, end = pick.choice([1, 2, 2, 3, 4]), 0
        kernel = pick.choice([stride, 2 * stride, 3, 4, 1])
        end, padding = pick.randint(0, stride - 1), pick.randint(0, (kernel - 1) // 2)
    reach = (kernel - 1) * dilation + 1
    height, width = max(height, reach - padding), max(width, reach - padding)
    activation = pick.choice([CONV_NONE, CONV_RELU, CONV_LEAKY, CONV_PRELU])
    residual = pick.choice([0, 1])
    src = cases.make("src", c_in, height, width)[None]
    bias, slopes = cases.make("bias", c_out), cases.make("slopes", c_out)
    if kind == "transposed":
        weight = cases.make("weight", c_in, c_out, kernel, kernel)
        out = F.conv_transpose2d(src, weight, bias, stride, padding, end)
    else:
        weight = cases.make("weight", c_out, c_in // groups, kernel, kernel)
        out = F.conv2d(F.pad(src, (padding, padding + end, padding, padding + end)), weight, bias, stride, 0, dilation, groups)
    out = [lambda x: x, F.relu, lambda x: F.leaky_relu(x, 0.2), lambda x: F.prelu(x, slopes)][activation](out)[0]
    if residual:
        out = out + cases.make("residual", *out.shape)
    parameters = [int(kind == "transposed"), c_in, height, width, c_out, kernel, groups, stride, dilation, padding, end,
                  activation, residual, *out.shape[1:]]
    cases.add(parameters, out)


def convolutions():
    cases, pick = Cases("tests/golden/operators_conv.safetensors"), random.Random(7)
    for kind, count in (("plain", 24), ("depthwise", 24), ("grouped", 20), ("transposed", 24)):
        for _ in range(count):
            convolution(cases, pick, kind)
    from torchvision.ops import deform_conv2d

    for c_in, c_out, height, width, kernel, padding in [(17, 5, 6, 7, 3, 1), (4, 16, 3, 9, 1, 0), (16, 20, 5, 5, 5, 1)]:
        out_height, out_width = height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1
        offset = cases.make("offset", 2 * kernel * kernel, out_height, out_width) * 2
        mask = cases.make("mask", kernel * kernel, out_height, out_width)
        out = deform_conv2d(cases.make("src", c_in, height, width)[None], offset[None],
                            cases.make("weight", c_out, c_in, kernel, kernel), cases.make("bias", c_out), padding=padding, mask=mask[None])[0]
        cases.add([2, c_in, height, width, c_out, kernel, 1, 1, 1, padding, 0, 0, 0, *out.shape[1:]], out)
    cases.save()


torch.set_num_threads(1)
planes()
convolutions()
