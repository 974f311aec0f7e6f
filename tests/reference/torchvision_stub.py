"""Import this before torchvision where torch is the CPU build. Some of torchvision's wheels carry operators
for another build, do not load them, and then fail to describe them: this declares them. None is used here."""
import sys

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
