"""Fixtures of the face restorers: GFPGAN and RestoreFormer, as spandrel has them, with seeded weights.

    python tests/reference/restorers.py        # pip install torch torchvision spandrel numpy safetensors

Writes the key lists tests/golden/keys/{gfpgan,restoreformer}.txt and, for each network at its published
measures ("full.") and at small ones ("small."), what tests/golden/compare.h wants of each stage: up to 997
values at even steps. "quiet." is the small GFPGAN without its noise maps; "single." the small RestoreFormer with one code, in
which nothing can be chosen otherwise.
"""
import os

import numpy
import torch
from safetensors.numpy import save_file
from spandrel.architectures.GFPGAN import GFPGAN
from spandrel.architectures.RestoreFormer import RestoreFormer

import seeded

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
SAMPLES = 997


def face(size):
    """A picture that tests/golden/restorers.h makes too: [1][3][size][size], within -1 .. 1."""
    c, y, x = numpy.meshgrid(numpy.arange(3.0), numpy.arange(float(size)), numpy.arange(float(size)), indexing="ij")
    values = numpy.sin(0.031 * x * (c + 1) + 0.017 * y) * numpy.cos(0.023 * y - 0.011 * x * c)
    return torch.from_numpy(values.astype(numpy.float32))[None]


def gfpgan(size, width, multiplier, style_columns):
    return GFPGAN(out_size=size, num_style_feat=style_columns, channel_multiplier=multiplier, decoder_load_path=None,
                  fix_decoder=False, num_mlp=8, input_is_latent=True, different_w=True, narrow=width / 512,
                  sft_half=True)


def gfpgan_stages(network):
    stages = {f"down.{i}": block for i, block in enumerate(network.conv_body_down)}
    stages["code"] = network.final_linear
    stages.update({f"up.{i}": block for i, block in enumerate(network.conv_body_up)})
    stages["style.0"] = network.stylegan_decoder.style_conv1
    for i, layer in enumerate(network.stylegan_decoder.style_convs):
        if i % 2 == 1:
            stages[f"style.{i // 2 + 1}"] = layer
    return stages


def restoreformer_stages(network):
    stages = {}
    for kind, levels in (("down", network.encoder.down), ("up", network.decoder.up)):
        for i, level in enumerate(levels):
            stages[f"{kind}.{i}"] = level.attn[-1] if len(level.attn) else level.block[-1]
    stages["middle"] = network.encoder.mid.block_2
    stages["latent"] = network.quant_conv
    stages["code"] = network.quantize
    return stages


def watched(network, stages, run, size):
    """What each stage gave, by name."""
    results = {}

    def hook(name):
        def keep(_module, _inputs, output):
            results[name] = (output[0] if isinstance(output, tuple) else output).detach().clone()
        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in stages.items()]
    with torch.no_grad():
        results["image"] = run(network, face(size))
    for handle in handles:
        handle.remove()
    return results


def samples(prefix, results):
    kept = {}
    for name, tensor in results.items():
        flat = tensor.numpy().reshape(-1)
        count = min(len(flat), SAMPLES)
        kept[f"{prefix}.{name}"] = flat[numpy.arange(count) * len(flat) // count]
        print(f"{prefix}.{name}: {tuple(tensor.shape)}, largest {numpy.abs(flat).max():.4g}, rms {flat.std():.4g}")
    return kept


def run_gfpgan(network, picture):
    return network(picture, return_rgb=False, randomize_noise=False)[0]


def main():
    torch.set_num_threads(2)
    kept = {}
    for prefix, measures in (("full", (512, 512, 2, 512)), ("small", (64, 64, 1, 48)), ("quiet", (64, 64, 1, 48))):
        network = seeded.fill(gfpgan(*measures))
        if prefix == "quiet":
            for noise in network.stylegan_decoder.noises.buffers():
                noise.zero_()
        if prefix == "full":
            seeded.write_keys(network, os.path.join(GOLDEN, "keys", "gfpgan.txt"))
        kept.update(samples(prefix, watched(network, gfpgan_stages(network), run_gfpgan, measures[0])))
    save_file(kept, os.path.join(GOLDEN, "gfpgan.safetensors"))
    kept = {}
    for prefix, size, options in (
        ("full", 512, {}),
        ("small", 64, {"ch": 32, "ch_mult": (1, 2, 2), "resolution": 64, "n_embed": 64, "embed_dim": 32,
                       "z_channels": 32, "head_size": 4}),
        ("single", 64, {"ch": 32, "ch_mult": (1, 2, 2), "resolution": 64, "n_embed": 1, "embed_dim": 32,
                        "z_channels": 32, "head_size": 4}),
    ):
        network = seeded.fill(RestoreFormer(**options))
        if prefix == "full":
            seeded.write_keys(network, os.path.join(GOLDEN, "keys", "restoreformer.txt"))
        run = lambda module, picture: module(picture)[0]  # noqa: E731
        kept.update(samples(prefix, watched(network, restoreformer_stages(network), run, size)))
    save_file(kept, os.path.join(GOLDEN, "restoreformer.safetensors"))


if __name__ == "__main__":
    main()
