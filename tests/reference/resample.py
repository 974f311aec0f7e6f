"""Pictures resized by OpenCV (and, for `nearest`, by torch): tests/golden/resample.safetensors, which
tests/golden/resample_test.c compares with src/image/resample.c. 16-bit values are stored as float32.

pip install numpy opencv-python-headless torch safetensors
"""
import os

import cv2
import numpy
import torch
from safetensors.numpy import save_file

SIZES = [  # from height, width; to height, width; channels
    (9, 11, 23, 31, 4),
    (31, 29, 10, 13, 3),
    (12, 10, 24, 20, 3),
    (24, 20, 12, 10, 4),
    (27, 24, 9, 8, 1),
    (30, 8, 7, 21, 2),
    (1, 17, 5, 40, 4),
    (13, 1, 4, 3, 1),
    (1, 1, 6, 5, 3),
]
FILTERS = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA, "lanczos4": cv2.INTER_LANCZOS4}
TYPES = {"u8": (numpy.uint8, 255), "u16": (numpy.uint16, 65535), "f32": (numpy.float32, 1)}

random = numpy.random.default_rng(7)
cv2.setNumThreads(1)
cv2.setUseOptimized(False)  # the plain code: what every machine can agree with
tensors = {}


def resized(name, picture, height, width):
    if name == "nearest":
        planes = torch.from_numpy(picture.astype(numpy.float32)).permute(2, 0, 1)[None]
        return torch.nn.functional.interpolate(planes, size=(height, width))[0].permute(1, 2, 0).numpy()
    return cv2.resize(picture, (width, height), interpolation=FILTERS[name]).reshape(height, width, -1)


for type_name, (dtype, most) in TYPES.items():
    for number, (height, width, to_height, to_width, channels) in enumerate(SIZES):
        picture = random.random((height, width, channels))
        if number % 2:  # hard edges make LANCZOS4 overshoot
            picture = numpy.round(picture)
        picture = (numpy.rint(picture * most) if most > 1 else picture).astype(dtype)
        store = numpy.uint8 if type_name == "u8" else numpy.float32
        tensors[f"{type_name}.{number}.from"] = picture.astype(store)
        for name in ["nearest", *FILTERS]:
            tensors[f"{type_name}.{number}.{name}"] = resized(name, picture, to_height, to_width).astype(store)

save_file({name: numpy.ascontiguousarray(value) for name, value in tensors.items()},
          os.path.join(os.path.dirname(__file__), "..", "golden", "resample.safetensors"))
