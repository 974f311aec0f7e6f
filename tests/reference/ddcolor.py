"""DDColor of PyPI's spandrel_extra_arches, with seeded weights, beside ours: writes
tests/golden/ddcolor.safetensors and tests/golden/keys/ddcolor_{large,tiny}.txt.

Needs: torch, torchvision, numpy, safetensors, spandrel, spandrel_extra_arches.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import torchvision_stub  # noqa: E402,F401 isort:skip
import numpy  # noqa: E402
import torch  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402
from spandrel_extra_arches.architectures.DDColor import DDColor  # noqa: E402

import seeded  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
SAMPLES = 997  # of each tensor, at even steps


def network(encoder, size):
    return DDColor(encoder_name=encoder, input_size=(size, size), last_norm="Spectral", num_queries=100, num_output_channels=2)


def picture(size):
    """Gray, from a formula that the test repeats."""
    y, x = numpy.mgrid[0:size, 0:size].astype(numpy.float64)
    gray = 0.5 + 0.25 * numpy.sin(0.07 * x + 0.031 * y) + 0.2 * numpy.cos(0.0023 * x * y / (1 + size / 256))
    return torch.from_numpy(gray.astype(numpy.float32)).expand(3, size, size).unsqueeze(0).contiguous()


def sample(tensor):
    """SAMPLES values at even steps of the flattened tensor, or all of a smaller one."""
    flat = tensor.detach().reshape(-1).numpy()
    count = min(SAMPLES, flat.size)
    return flat[[i * flat.size // count for i in range(count)]].copy()


def run(encoder, size, out, name):
    model = seeded.fill(network(encoder, size))
    # The buffers of the normalisation are constants of the published files.
    model.mean.copy_(torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
    model.std.copy_(torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
    seen = {}

    def keep(key):
        def hook(_module, _input, output):
            seen[key] = output

        return hook

    decoder = model.decoder
    for i in range(3):
        decoder.layers[i].bn.register_forward_hook(
            lambda _m, _i, output, key=f"feature{2 - i}": seen.__setitem__(key, torch.relu(output)))
        decoder.layers[i].conv[1].register_forward_hook(
            lambda _m, _i, output, key=f"level{i}": seen.__setitem__(key, output.clone()))
    model.encoder.arch.norm3.register_forward_hook(keep("feature3"))
    decoder.color_decoder.color_embed.register_forward_hook(keep("embeddings"))
    with torch.inference_mode():
        result = model(picture(size))
    for key, value in seen.items():
        out[f"{name}.{key}"] = sample(value[0])
    out[f"{name}.ab"] = sample(result[0])
    print(name, {key: float(value.abs().max()) for key, value in seen.items()}, "ab", float(result.abs().max()))


def main():
    torch.set_num_threads(2)
    out = {}
    os.makedirs(os.path.join(GOLDEN, "keys"), exist_ok=True)
    for encoder, name in (("convnext-t", "tiny"), ("convnext-l", "large")):
        seeded.write_keys(network(encoder, 64), os.path.join(GOLDEN, "keys", f"ddcolor_{name}.txt"))
    run("convnext-t", 64, out, "tiny64")
    run("convnext-t", 512, out, "tiny512")
    run("convnext-l", 128, out, "large128")
    save_file(out, os.path.join(GOLDEN, "ddcolor.safetensors"))


if __name__ == "__main__":
    with torch.no_grad():
        main()
