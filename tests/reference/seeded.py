"""Weights from names: every tensor's values follow from its name and shape alone, the same here and
in tests/golden/seeded.h. So a network can be compared at its real size without storing weights.

Value i of a tensor is centre + spread * u, u being uniform in -1 .. 1: the top 24 bits of splitmix64
over the FNV-1a hash of the name. Centre and spread come from the kind of tensor: see `rule`. A change
here is a change there, and makes all fixtures anew.
"""
import math

import numpy
import torch

MASK = (1 << 64) - 1


def name_hash(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def rule(name, shape):
    """Centre and spread."""
    last = name.rsplit(".", 1)[-1]
    if last == "running_var":
        return 1.0, 0.5
    if last == "running_mean":
        return 0.0, 0.1
    if name.endswith("modulation.bias"):
        return 1.0, 0.1
    if last in ("bias", "in_proj_bias"):
        return 0.0, 0.1
    if last == "gamma":
        return 0.2, 0.1
    if last in ("weight_u", "weight_v"):  # spectral norm: near the singular vectors of weight_orig
        return 1.0 / math.sqrt(shape[0]), 0.1 / math.sqrt(shape[0])
    if len(shape) < 2:
        return 1.0, 0.1
    if last == "weight_orig":  # a norm of about 0.7
        return 0.7 / math.sqrt(math.prod(shape)), math.sqrt(3.0 / math.prod(shape[1:]))
    inputs = math.prod(shape[2:] if len(shape) == 5 else shape[1:])
    return 0.0, math.sqrt(3.0 / inputs)


def values(name, shape):
    """A float32 array of that shape."""
    count = math.prod(shape)
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(name_hash(name)) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    u = ((z >> numpy.uint64(40)).astype(numpy.int64) - (1 << 23)).astype(numpy.float32) * numpy.float32(2.0**-23)
    centre, spread = rule(name, shape)
    return (numpy.float32(centre) + numpy.float32(spread) * u).reshape(shape)


def fill(module, prefix=""):
    """Give a torch module its seeded weights. Integer buffers (counters) stay."""
    state = module.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            state[name] = torch.from_numpy(values(prefix + name, tuple(tensor.shape))).to(tensor.dtype)
    module.load_state_dict(state)
    return module.eval()


def write_keys(module, path):
    """The list of keys and shapes that tests/golden compares with our tables: "NAME D0 D1 ...", sorted."""
    with open(path, "w", encoding="utf-8") as file:
        for name, tensor in sorted(module.state_dict().items()):
            print(" ".join([name, *map(str, tensor.shape)]), file=file)
