"""Mimeo beside PyTorch and OpenVINO on the CPU, f32 and bf16, in one run with the same threads.

    make bench-peers                          (installs what it needs into build/peers-venv)
    python bench/peers.py [--network rrdb] [--build build] [--weights FILE|seeded] [--threads 2]
                          [--rounds 3]

Rounds alternate between all engines, so that they suffer alike from what else runs. PyTorch is run
in inference mode with oneDNN, channels last and not; OpenVINO gets the ONNX file and a precision
hint. Each network is a function in NETWORKS that returns an Entry: how to run Mimeo, the network as
a torch module (None: only OpenVINO), the ONNX file, the input. Only torch, openvino, numpy needed.
"""

import argparse
import copy
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import openvino
import torch
from torch import nn
from torch.nn import functional

BENCH = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Entry:
    mimeo: list  # command that prints a line with median_ms=
    module: nn.Module | None
    onnx: pathlib.Path
    source: numpy.ndarray
    gflop: float


class Dense(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        outs = [growth] * 4 + [features]
        self.convs = nn.ModuleList(
            nn.Conv2d(features + i * growth, out, 3, padding=1) for i, out in enumerate(outs))

    def forward(self, source):
        parts = [source]
        for conv in self.convs[:-1]:
            parts.append(functional.leaky_relu(conv(torch.cat(parts, 1)), 0.2, inplace=True))
        return self.convs[-1](torch.cat(parts, 1)) * 0.2 + source


class Rrdb(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        self.blocks = nn.Sequential(*(Dense(features, growth) for _ in range(3)))

    def forward(self, source):
        return self.blocks(source) * 0.2 + source


class RrdbNet(nn.Module):
    """RRDBNet for a factor of 4; its parameters are in the order in which bench-rrdb exports."""

    def __init__(self, features, growth, depth):
        super().__init__()
        self.first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(*(Rrdb(features, growth) for _ in range(depth)))
        self.trunk, self.up1, self.up2, self.hr = (
            nn.Conv2d(features, features, 3, padding=1) for _ in range(4))
        self.last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, source):
        shallow = self.first(source)
        hidden = shallow + self.trunk(self.body(shallow))
        for conv in (self.up1, self.up2):
            hidden = functional.interpolate(hidden, scale_factor=2, mode="nearest")
            hidden = functional.leaky_relu(conv(hidden), 0.2, inplace=True)
        return self.last(functional.leaky_relu(self.hr(hidden), 0.2, inplace=True))


def rrdb(args, folder):
    runner = [str(pathlib.Path(args.build) / "bench-rrdb"), "--weights", args.weights]
    subprocess.run(runner + ["--runs", "0", "--export", folder], check=True,
                   stdout=subprocess.DEVNULL)
    shape = json.loads((folder / "shape.json").read_text())
    subprocess.run(["node", str(BENCH / "rrdb_onnxruntime.mjs"), "--folder", folder, "--runs", "0",
                    "--save", folder / "rrdb.onnx"], check=True)
    module = RrdbNet(shape["features"], shape["growth"], shape["depth"])
    values = torch.from_numpy(numpy.fromfile(folder / "weights.f32", numpy.float32))
    at = 0
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(values[at:at + parameter.numel()].view_as(parameter))
            at += parameter.numel()
    assert at == values.numel()
    size = shape["size"]
    dense = sum((64 + 32 * i) * (32 if i < 4 else 64) for i in range(5))
    per_pixel = 3 * shape["depth"] * dense + 192 + 5 * 4096 + 16 * (2 * 4096 + 192)
    return Entry(runner + ["--threads", str(args.threads), "--runs", "1"], module.eval(),
                 folder / "rrdb.onnx",
                 numpy.fromfile(folder / "input.f32", numpy.float32).reshape(1, 3, size, size),
                 per_pixel * 18 * size * size / 1e9)


NETWORKS = {"rrdb": rrdb}


def timed(run):
    start = time.perf_counter()
    result = run()
    return (time.perf_counter() - start) * 1e3, result


def torch_engines(entry):
    for dtype in (torch.float32, torch.bfloat16):
        for layout in (torch.contiguous_format, torch.channels_last):
            module = copy.deepcopy(entry.module).to(dtype=dtype, memory_format=layout)

            def run(module=module, dtype=dtype, layout=layout):
                source = torch.from_numpy(entry.source).to(dtype).contiguous(memory_format=layout)
                with torch.inference_mode():
                    return timed(lambda: module(source).float().numpy())
            name = "channels last" if layout == torch.channels_last else "planes"
            yield f"PyTorch {str(dtype)[6:]}, {name}", run


def openvino_engines(entry, threads):
    core = openvino.Core()
    for precision in ("f32", "bf16"):
        compiled = core.compile_model(str(entry.onnx), "CPU", {
            "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY", "EXECUTION_MODE_HINT": "PERFORMANCE"})
        request = compiled.create_infer_request()

        def run(request=request):
            return timed(lambda: request.infer([entry.source])[0])
        yield f"OpenVINO {precision}", run


def mimeo_engine(entry):
    def run():
        line = subprocess.run(entry.mimeo, check=True, stdout=subprocess.PIPE, text=True).stdout
        fields = dict(pair.split("=", 1) for pair in line.split())
        return float(fields["median_ms"]), None
    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=NETWORKS, default="rrdb")
    parser.add_argument("--build", default="build")
    parser.add_argument("--weights", default="seeded")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        entry = NETWORKS[args.network](args, pathlib.Path(folder))
        engines = [("Mimeo f32", mimeo_engine(entry))]
        if entry.module is not None:
            engines += torch_engines(entry)
        engines += openvino_engines(entry, args.threads)
        times = {name: [] for name, _ in engines}
        results = {}
        for turn in range(args.rounds + 1):  # the first one warms up
            for name, run in engines:
                milliseconds, results[name] = run()
                print(f"round {turn}: {name} {milliseconds:.0f} ms", file=sys.stderr, flush=True)
                if turn > 0:
                    times[name].append(milliseconds)
    reference = next((r for r in results.values() if r is not None), None)
    ours = statistics.median(times["Mimeo f32"])
    print(f"{args.network}, {args.threads} threads, {entry.gflop:.0f} GFLOP; medians of {args.rounds}")
    for name, values in times.items():
        median = statistics.median(values)
        ratio = statistics.median(t / m for t, m in zip(values, times["Mimeo f32"]))
        error = ""
        if results[name] is not None:
            error = f", {numpy.abs(results[name] - reference).max():.2g} from PyTorch f32"
        print(f"{name}: {median:.0f} ms, {entry.gflop / median * 1e3:.0f} GFLOP/s; "
              f"Mimeo is {median / ours:.2f} times as fast (paired {ratio:.2f}){error}")


if __name__ == "__main__":
    main()
