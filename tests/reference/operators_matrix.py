"""Linear layers, matrix products, norms and attention of PyTorch: writes
tests/golden/operators_matrix.safetensors, up to 997 values of each result at even steps.

Inputs are seeded by their names, as in tests/golden/operators_matrix_test.c: the cases here and
there are the same.

Needs: torch, numpy, safetensors.
"""
import math
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import numpy  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

import seeded  # noqa: E402

SAMPLES = 997
results = {}


def matrix(name, rows, columns, scale):
    """Seeded numbers in -scale .. scale (the rule for weights divides by sqrt(columns / 3))."""
    values = torch.from_numpy(seeded.values(name, (rows, columns))).double()
    return (values * scale * math.sqrt(columns / 3)).float()


def keep(name, tensor):
    flat = tensor.reshape(-1).numpy().astype(numpy.float32)
    count = min(SAMPLES, flat.size)
    results[name] = flat[[i * flat.size // count for i in range(count)]].copy()


ACTIVATIONS = [
    lambda x: x,
    F.relu,
    F.silu,
    F.gelu,
    lambda x: F.gelu(x, approximate="tanh"),
]

# rows, inputs, outputs, activation, residual
LINEAR = [
    (1, 16, 16, 0, False), (13, 45, 53, 1, True), (17, 45, 53, 2, False), (19, 33, 51, 3, True), (9, 20, 31, 4, True),
    (7, 1, 1, 0, False), (5, 3, 2, 3, False), (130, 1600, 37, 3, True), (97, 64, 40, 2, False), (250, 770, 530, 4, False),
]

# heads, queries, keys, columns of a head, of a value's head, scale, bias
ATTENTION = [
    (1, 1, 1, 4, 4, 0, False), (2, 5, 7, 8, 8, 0, True), (3, 50, 65, 20, 9, 0.3, True), (8, 100, 1040, 32, 32, 0, False),
    (4, 256, 256, 64, 64, 0, False), (1, 49, 530, 130, 40, 0, True),
]

# channels, height, width, groups
GROUP = [(32, 5, 7, 32), (48, 9, 4, 6), (20, 3, 3, 5), (64, 70, 66, 32), (7, 2, 5, 1)]


def main():
    torch.set_num_threads(1)
    for i, (rows, inputs, outputs, activation, residual) in enumerate(LINEAR):
        x, weight = matrix(f"linear.{i}.x", rows, inputs, 3), matrix(f"linear.{i}.w", outputs, inputs, 2 / math.sqrt(inputs))
        y = F.linear(x, weight, matrix(f"linear.{i}.b", 1, outputs, 1)[0])
        y = ACTIVATIONS[activation](y)
        keep(f"linear.{i}", y + matrix(f"linear.{i}.r", rows, outputs, 1) if residual else y)
        keep(f"multiply.{i}", x @ weight.T)
        keep(f"rows.{i}", F.layer_norm(x + 10, (inputs,), matrix(f"linear.{i}.s", 1, inputs, 2)[0],
                                       matrix(f"linear.{i}.t", 1, inputs, 1)[0], 1e-6))
    for i, (heads, queries, keys, columns, values, scale, bias) in enumerate(ATTENTION):
        def split(name, rows, size):
            return matrix(f"attention.{i}.{name}", rows, heads * size, 2).reshape(rows, heads, size).transpose(0, 1)
        mask = matrix(f"attention.{i}.bias", heads * queries, keys, 3).reshape(heads, queries, keys) if bias else None
        y = F.scaled_dot_product_attention(split("q", queries, columns), split("k", keys, columns), split("v", keys, values),
                                           attn_mask=mask, scale=scale or None)
        keep(f"attention.{i}", y.transpose(0, 1).reshape(queries, heads * values))
    for i, (channels, height, width, groups) in enumerate(GROUP):
        # Far from zero: a variance from squares in f32 would lose most of its digits.
        x = (matrix(f"group.{i}.x", channels, height * width, 1) + 30).reshape(1, channels, height, width)
        scale, shift = matrix(f"group.{i}.s", 1, channels, 2)[0], matrix(f"group.{i}.t", 1, channels, 1)[0]
        y = F.group_norm(x.double(), groups, scale.double(), shift.double(), 1e-6).float()
        keep(f"group.{i}", y)
        keep(f"silu.{i}", F.silu(y))
        y = F.layer_norm(x.double().permute(0, 2, 3, 1), (channels,), scale.double(), shift.double(), 1e-6)
        keep(f"layer.{i}", y.permute(0, 3, 1, 2).float())
    save_file(results, os.path.join(os.path.dirname(__file__), "..", "golden", "operators_matrix.safetensors"))


main()
