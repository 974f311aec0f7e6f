"""Write small checkpoints in every form torch has, and what is in them as safetensors.

tests/golden/torch_*.pth and torch.safetensors (compared by tests/golden/torch_test.c), the same and a few smaller
ones as seeds of the fuzzer in tests/fuzz/corpus/torch. Needs torch, numpy and safetensors.
"""
import argparse
import collections
import io
import os
import pickle
import struct
import sys

import numpy
import safetensors.torch
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")
SEEDS = os.path.join(HERE, "..", "fuzz", "corpus", "torch")

torch.manual_seed(7)


class Anything:
    """An object of a class that nobody else knows."""

    def __init__(self):
        self.tensor = torch.ones(2)


def network():
    return torch.nn.Sequential(
        collections.OrderedDict(conv=torch.nn.Conv2d(2, 3, 3), norm=torch.nn.BatchNorm2d(3)))


def tensors():
    base = torch.randn(5, 6)
    four = torch.randn(2, 3, 2, 2)
    return {
        "float": torch.randn(2, 3),
        "half": torch.randn(5).half(),
        "brain": torch.randn(3, 1).bfloat16(),
        "double": torch.randn(2).double(),
        "long": torch.arange(-2, 3),
        "int": torch.arange(3, dtype=torch.int32),
        "short": torch.arange(3, dtype=torch.int16),
        "char": torch.arange(-1, 2, dtype=torch.int8),
        "byte": torch.arange(253, 256, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(4.5),
        "empty": torch.zeros(0, 3),
        "whole": base,
        "rows": base[1:3],
        "columns": base[:, 2:4],
        "turned": base.t(),
        "turned_half": torch.randn(3, 4).half().t(),
        "permuted": four.permute(0, 2, 3, 1),
        "channels_last": torch.randn(1, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        "expanded": torch.tensor([1.5, 2.5]).unsqueeze(1).expand(2, 3),
        "ones": torch.randn(1, 4, 1)[:, ::2],
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "buffer": torch.nn.Parameter(torch.randn(2, 2).t(), requires_grad=False),
    }


def checkpoint(things):
    net = network()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(1, 2, 4, 4)).sum().backward()
    optimizer.step()
    return {
        "epoch": 7, "iterations": 1 << 40, "huge": 1 << 90, "loss": 0.25, "best": None, "done": True,
        "name": "köln", "bytes": b"\x00\x01", "size": torch.Size([1, 2]), "type": torch.float16,
        "device": torch.device("cpu"), "set": {1, 2}, "frozen": frozenset([3]), "array": numpy.arange(3),
        "number": numpy.float64(1.5), "arguments": argparse.Namespace(rate=1e-3, layers=[1, 2]),
        "list": [torch.ones(1), 2], "counter": collections.Counter("aab"), "object": Anything(),
        "default": collections.defaultdict(list, inner=torch.full((2,), 3.0)),
        "network": net.state_dict(), "optimizer": optimizer.state_dict(),
        "params_ema": collections.OrderedDict(things), "nested": {"deeper": {"x": torch.ones(1)}, 3: {"y": torch.zeros(1)}},
    }


def flatten(prefix, value, out):
    """What the reader gives: the tensors of dictionaries of dictionaries."""
    for key, inner in value.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(inner, torch.Tensor):
            out[name] = inner.detach().contiguous().clone()
        elif isinstance(inner, dict) and not isinstance(inner, collections.Counter):
            flatten(name, inner, out)
    return out


class OldPickler(pickle._Pickler):  # pylint: disable=protected-access
    """Gives storages as old torch did: two views of one root storage."""

    def __init__(self, file, names):
        super().__init__(file, protocol=2)
        self.names = names

    def persistent_id(self, value):
        return self.names.get(id(value))


class Storage:
    pass


class Call:
    """Pickled as a call of a function by name."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def old_views():
    """12 floats in one storage, two tensors over views of it. torch itself no longer writes these."""
    first, second = Storage(), Storage()
    names = {
        id(first): ("storage", torch.FloatStorage, "100", "cpu", 12, ("101", 2, 6)),
        id(second): ("storage", torch.FloatStorage, "100", "cpu", 12, ("102", 8, 4)),
    }
    rebuild = torch._utils._rebuild_tensor  # pylint: disable=protected-access
    state = {"a": Call(rebuild, first, 0, (2, 3), (3, 1)), "b": Call(rebuild, second, 1, (3,), (1,))}
    file = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001,
                  {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}):
        pickle.dump(value, file, protocol=2)
    OldPickler(file, names).dump(state)
    pickle.dump(["100"], file, protocol=2)
    numbers = torch.arange(12, dtype=torch.float32)
    file.write(struct.pack("<q", 12) + numbers.numpy().tobytes())
    return file.getvalue(), {"views.a": numbers[2:8].reshape(2, 3).clone(), "views.b": numbers[9:12].clone()}


def saved(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def write(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def main():
    sys.modules["anything"] = sys.modules[__name__]
    Anything.__module__ = "anything"
    whole = checkpoint(tensors())
    forms = {
        "zip": saved(whole),
        "zip_protocol4": saved(whole, pickle_protocol=4),
        "old": saved(whole, _use_new_zipfile_serialization=False),
    }
    views, views_tensors = old_views()
    for form, data in forms.items():
        write(GOLDEN, f"torch_{form}.pth", data)
    write(GOLDEN, "torch_views.pth", views)
    expected = flatten("", whole, {}) | views_tensors
    write(GOLDEN, "torch.safetensors", safetensors.torch.save(expected))

    small = {"params": {"a": torch.ones(2, 2).t()[:1], "b": torch.nn.Parameter(torch.zeros(1)).half()}, "n": 1}
    write(SEEDS, "views", views)
    write(SEEDS, "zip", saved(small))
    write(SEEDS, "zip4", saved(small, pickle_protocol=4))
    write(SEEDS, "old", saved(small, _use_new_zipfile_serialization=False))
    write(SEEDS, "module", saved(network().state_dict(), _use_new_zipfile_serialization=False))
    write(SEEDS, "object", saved(Anything(), _use_new_zipfile_serialization=False))


if __name__ == "__main__":
    main()
