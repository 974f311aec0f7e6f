"""RRDBNet and SRVGGNetCompact by basicsr (what Real-ESRGAN was published with), for
tests/golden/upscalers_test.c: lists of keys, and samples of results.

- Seeded weights (seeded.py), at the published configurations and at small ones.
- Real weights in ncnn's form, when their folder is given as an argument (what `mimeo pull` installs:
  .mimeo/weights), on the photo tests/golden/allium.png.

pip install numpy torch torchvision basicsr pyyaml opencv-python-headless safetensors
"""
import os
import sys
import types

import cv2
import numpy
import torch
import torchvision.transforms.functional
from safetensors.numpy import save_file

import seeded

# basicsr asks for a module that torchvision has dropped, for a function that moved.
moved = types.ModuleType("torchvision.transforms.functional_tensor")
moved.rgb_to_grayscale = torchvision.transforms.functional.rgb_to_grayscale
sys.modules.setdefault(moved.__name__, moved)
from basicsr.archs.rrdbnet_arch import RRDBNet  # noqa: E402
from basicsr.archs.srvgg_arch import SRVGGNetCompact  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
SAMPLES = 997  # of each result, at even steps, as tests/golden/compare.h wants
torch.set_num_threads(1)


def picture(height, width):
    """[3][height][width] in 0 .. 1, the same as formula() in tests/golden/upscalers_test.c."""
    c, y, x = numpy.meshgrid(numpy.arange(3), numpy.arange(height), numpy.arange(width), indexing="ij")
    return ((x * x * 3 + y * y * 5 + x * y * 2 + c * 89 + y * 7) % 251 / 250).astype(numpy.float32)


def samples(values):
    flat = values.reshape(-1)
    return flat[numpy.arange(SAMPLES) * flat.size // SAMPLES].astype(numpy.float32)


def run(net, source):
    with torch.no_grad():
        return net(torch.from_numpy(source)[None])[0].numpy()


def ncnn_tensors(folder, name):
    """Weights (and PReLU slopes) of an ncnn pair of files, in order."""
    data = open(f"{folder}/{name}.bin", "rb").read()
    at = 0
    inputs = 3

    def take(count, kind):
        nonlocal at
        values = numpy.frombuffer(data, kind, count, at).astype(numpy.float32)
        at += (values.size * numpy.dtype(kind).itemsize + 3) // 4 * 4
        return values

    for line in open(f"{folder}/{name}.param", encoding="ascii"):
        words = line.split()
        options = dict(word.split("=") for word in words if "=" in word)
        if words[0] == "Convolution":
            outputs, count = int(options["0"]), int(options["6"])
            kind = "<f2" if take(1, "<u4").astype(numpy.int64)[0] != 0 else "<f4"
            inputs = count // outputs // 9
            yield take(count, kind).reshape(outputs, inputs, 3, 3)
            yield take(outputs, "<f4")
        elif words[0] == "PReLU":
            yield take(int(options["0"]), "<f4")
    assert at == len(data), (at, len(data))


def from_ncnn(net, folder, name):
    state = {key: torch.from_numpy(values.copy())
             for key, values in zip(net.state_dict(), ncnn_tensors(folder, name), strict=True)}
    net.load_state_dict(state)
    return net.eval()


def seeded_results():
    tensors = {}
    for name, net, size in [
        ("rrdb_x4plus", RRDBNet(3, 3, scale=4, num_feat=64, num_block=23, num_grow_ch=32), (24, 20)),
        ("rrdb_anime", RRDBNet(3, 3, scale=4, num_feat=64, num_block=6, num_grow_ch=32), (24, 20)),
        ("rrdb_small", RRDBNet(3, 3, scale=4, num_feat=16, num_block=2, num_grow_ch=16), (19, 13)),
        ("rrdb_small_x2", RRDBNet(3, 3, scale=2, num_feat=16, num_block=2, num_grow_ch=16), (18, 14)),
        ("rrdb_small_x1", RRDBNet(3, 3, scale=1, num_feat=16, num_block=1, num_grow_ch=16), (28, 24)),
        ("srvgg_general", SRVGGNetCompact(3, 3, 64, 32, 4), (48, 40)),
        ("srvgg_video", SRVGGNetCompact(3, 3, 64, 16, 4), (48, 40)),
        ("srvgg_small_x2", SRVGGNetCompact(3, 3, 16, 2, 2), (17, 11)),
        ("srvgg_small_x3", SRVGGNetCompact(3, 3, 16, 1, 3), (16, 15)),
    ]:
        seeded.fill(net)
        if name in ("rrdb_x4plus", "rrdb_anime", "srvgg_general"):
            seeded.write_keys(net, f"{GOLDEN}/keys/{name}.txt")
        result = run(net, picture(*size))
        print(name, size, "range", result.min(), result.max(), "deviation", result.std())
        tensors[f"{name}.size"] = numpy.array(size, dtype=numpy.float32)
        tensors[f"{name}.result"] = samples(result)
    return tensors


def real_results(folder):
    """The middle of the photo, by the real networks: a part of the result, and the whole's samples."""
    tensors = {}
    photo = cv2.imread(f"{GOLDEN}/allium.png", cv2.IMREAD_COLOR)[:, :, ::-1]
    height, width = photo.shape[:2]
    crop = photo[height // 2 - 32:height // 2 + 32, width // 2 - 32:width // 2 + 32]
    source = numpy.ascontiguousarray(crop.transpose(2, 0, 1)).astype(numpy.float32) / 255
    for name, where, file, net in [
        ("x4plus", "nightmareai/real-esrgan", "realesrgan-x4plus", RRDBNet(3, 3, 4, 64, 23, 32)),
        ("anime", "mimeo/real-esrgan-anime", "realesrgan-x4plus-anime", RRDBNet(3, 3, 4, 64, 6, 32)),
    ]:
        result = run(from_ncnn(net, f"{folder}/{where}", file), source)
        tensors[f"{name}.result"] = samples(result)
    tensors["crop"] = crop.copy()
    return tensors


if __name__ == "__main__":
    save_file(seeded_results(), f"{GOLDEN}/upscalers.safetensors")
    if len(sys.argv) > 1:
        save_file(real_results(sys.argv[1]), f"{GOLDEN}/upscalers_real.safetensors")
