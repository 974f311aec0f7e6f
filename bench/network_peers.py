"""Networks by other engines, the other side of bench/network.sh: prints the line that bench-network prints.

    python bench/network_peers.py export --onnx network.onnx [--network gfpgan|restoreformer|ddcolor-large|ddcolor-tiny]
                                 [--modulation planes|weights]
    python bench/network_peers.py onnxruntime|openvino|torch --onnx network.onnx [--precision f32|bf16]
                                 [--threads 2] [--runs 5] [--dump out.f32] [--network ...]

Needs what tests/reference/{restorers,ddcolor}.py need and, of these, what it runs: onnx onnxruntime
openvino. The weights are seeded (tests/reference/seeded.py); the network is the reference's, with the
stored noise maps. --modulation weights is the reference as it stands; planes, the default, computes the
same with constant weights, which engines do faster. torch runs under inference_mode, in its usual layout: the
reference's views do not allow channels last.
"""
import argparse
import os
import resource
import sys
import time

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "reference"))


def modulate_planes(module, source, style):
    """A modulated convolution with constant weights, which engines pack once: their best case. The
    reference's forward multiplies the weights instead, anew for every face."""
    import torch
    from torch.nn import functional
    scale = module.modulation(style)
    source = source * scale[:, :, None, None]
    if module.sample_mode == "upsample":
        source = functional.interpolate(source, scale_factor=2, mode="bilinear", align_corners=False)
    result = functional.conv2d(source, module.weight[0], padding=module.padding)
    if not module.demodulate:
        return result
    squares = module.weight[0].pow(2).sum([2, 3])
    lengths = functional.linear(scale.pow(2), squares) + module.eps
    return result * torch.rsqrt(lengths)[:, :, None, None]


def restorer(name, modulation):
    import torch
    import restorers
    import seeded
    from spandrel.architectures.GFPGAN.__arch.stylegan2_clean_arch import ModulatedConv2d

    if modulation == "planes":
        ModulatedConv2d.forward = modulate_planes

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = seeded.fill(restorers.gfpgan(512, 512, 2, 512) if name == "gfpgan" else restorers.RestoreFormer())

        def forward(self, face):
            return restorers.run_gfpgan(self.net, face) if name == "gfpgan" else self.net(face)[0]

    return Whole().eval()


def colorizer(name):
    """Spectral norms divided out of the weights, as any export for inference has it."""
    import ddcolor
    import seeded
    import torch
    model = seeded.fill(ddcolor.network("convnext-l" if name == "ddcolor-large" else "convnext-t", 512))
    model.mean.copy_(torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
    model.std.copy_(torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
    for module in model.modules():
        if hasattr(module, "weight_orig"):
            torch.nn.utils.remove_spectral_norm(module)
    return model


def network(name, modulation):
    return colorizer(name) if name.startswith("ddcolor") else restorer(name, modulation)


def picture_for(name):
    if name.startswith("ddcolor"):
        import ddcolor
        return ddcolor.picture(512).numpy()
    import restorers
    return restorers.face(512).numpy()


def export(options):
    import torch
    with torch.no_grad():
        torch.onnx.export(network(options.network, options.modulation), (torch.from_numpy(picture_for(options.network)),), options.onnx,
                          input_names=["picture"], output_names=["result"], opset_version=18, dynamo=False)


def by_onnxruntime(options):
    import onnxruntime
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = options.threads
    session_options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(options.onnx, session_options, providers=["CPUExecutionProvider"])
    return lambda picture: session.run(["result"], {"picture": picture})[0]


def by_openvino(options):
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(options.onnx, "CPU", {
        "INFERENCE_NUM_THREADS": options.threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": options.precision})
    return lambda picture: compiled([picture])[0]


def by_torch(options):
    import torch
    torch.set_num_threads(options.threads)
    kind = torch.bfloat16 if options.precision == "bf16" else torch.float32
    mixed = options.network.startswith("ddcolor") and options.precision == "bf16"  # its positions are made in f32
    module = network(options.network, options.modulation).to(torch.float32 if mixed else kind)
    # GFPGAN's modulated weights have 5 dimensions, and no channels-last layout.
    layout = torch.contiguous_format if options.network == "gfpgan" else torch.channels_last
    module = module.to(memory_format=layout)

    def run(picture):
        source = torch.from_numpy(picture).contiguous(memory_format=layout)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            return module(source if mixed else source.to(kind)).float().numpy()
    return run


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("engine", choices=["export", "onnxruntime", "openvino", "torch"])
    parser.add_argument("--network", default="gfpgan", choices=["gfpgan", "restoreformer", "ddcolor-large", "ddcolor-tiny"])
    parser.add_argument("--modulation", default="planes", choices=["planes", "weights"])
    parser.add_argument("--onnx")
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dump")
    options = parser.parse_args()
    if options.engine == "export":
        return export(options)
    picture = picture_for(options.network)
    run = {"onnxruntime": by_onnxruntime, "openvino": by_openvino, "torch": by_torch}[options.engine](options)
    times, cpu = [], []
    for _ in range(options.runs + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        result = run(picture)
        times.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.process_time() - cpu_start) * 1e3)
    first, times = times[0], sorted(times[1:])
    print(f"engine={options.engine} precision={options.precision} median_ms={times[len(times) // 2]:.1f}"
          f" best_ms={times[0]:.1f} best_cpu_ms={min(cpu):.1f} first_ms={first:.1f}"
          f" peak_rss_mb={resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} threads={options.threads}")
    if options.dump:
        numpy.ascontiguousarray(result, dtype=numpy.float32).tofile(options.dump)


if __name__ == "__main__":
    main()
