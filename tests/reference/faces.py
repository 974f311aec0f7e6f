"""The face pipeline of PyPI's facexlib and gfpgan beside ours: writes tests/golden/faces.safetensors and
tests/golden/keys/{retinaface,parsenet}.txt.

The two networks have seeded weights. The pipeline (align, crop, paste) is theirs as it stands, with
the networks in it replaced by something that the test repeats exactly.

Needs: torch, torchvision, numpy, safetensors, opencv-python-headless, facexlib, gfpgan, basicsr.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import torchvision_stub  # noqa: E402,F401 isort:skip
import cv2  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
import torchvision.transforms.functional  # noqa: E402

# basicsr asks for a module that torchvision has merged with this one.
sys.modules["torchvision.transforms.functional_tensor"] = torchvision.transforms.functional
from facexlib.detection import retinaface  # noqa: E402
from facexlib.parsing.parsenet import ParseNet  # noqa: E402
from facexlib.utils import face_restoration_helper  # noqa: E402
from gfpgan.utils import GFPGANer  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

import seeded  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
SAMPLES = 997  # of each tensor, at even steps


def sample(tensor, count=SAMPLES):
    flat = numpy.asarray(tensor).reshape(-1)
    count = min(count, flat.size)
    return flat[[i * flat.size // count for i in range(count)]].copy()


def waves(height, width):
    """A picture for a network, [3][h][w] in 0..255."""
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float64)
    return numpy.stack([
        127.5 + 90 * numpy.sin(0.11 * x + 0.05 * y + c) + 35 * numpy.cos(0.0013 * x * y + 2 * c) for c in range(3)
    ]).astype(numpy.float32)


def triangle(t):
    return numpy.abs(t % 510 - 255)


def bands(height, width, channels, step):
    """A smooth picture of whole numbers 0..255, [h][w][c]; `step` is how fast it changes."""
    y, x = numpy.mgrid[0:height, 0:width]
    return numpy.stack([(triangle(3 * step * x + 2 * step * y + 85 * c) + triangle(5 * step * x - 2 * step * y + 1000 + 40 * c)) // 2
                        for c in range(channels)], axis=2).astype(numpy.uint8)


# ---- The networks ----


def greedy(boxes, threshold):
    """What torchvision's nms is documented to do: boxes come with the highest score first."""
    keep = []
    for i in range(len(boxes)):
        for k in keep:
            wide = max(0, min(boxes[i, 2], boxes[k, 2]) - max(boxes[i, 0], boxes[k, 0]))
            high = max(0, min(boxes[i, 3], boxes[k, 3]) - max(boxes[i, 1], boxes[k, 1]))
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[k])]
            if wide * high / (areas[0] + areas[1] - wide * high) > threshold:
                break
        else:
            keep.append(i)
    return keep


def detector(out):
    retinaface.py_cpu_nms = greedy
    model = seeded.fill(retinaface.RetinaFace(network_name="resnet50", device=torch.device("cpu")))
    seeded.write_keys(model, os.path.join(GOLDEN, "keys", "retinaface.txt"))
    seen = {}
    for i in range(3):
        for kind, name in ((model.ClassHead, "scores"), (model.BboxHead, "boxes"), (model.LandmarkHead, "points")):
            kind[i].conv1x1.register_forward_hook(
                lambda _m, _i, output, key=f"{name}{i}": seen.__setitem__(key, output[0].numpy()))
        getattr(model, f"ssh{i + 1}").register_forward_hook(
            lambda _m, _i, output, key=f"features{i}": seen.__setitem__(key, output[0].numpy()))
    picture = waves(75, 101)
    model.detect_faces(picture.transpose(1, 2, 0), conf_threshold=0.97)
    for key, value in seen.items():
        out[f"retinaface.{key}"] = sample(value)
    largest = {key: float(numpy.abs(value).max()) for key, value in seen.items()}
    # Heads a hundredth as loud say something nearer to faces: scores that differ, boxes that overlap.
    for heads in (model.ClassHead, model.BboxHead, model.LandmarkHead):
        for head in heads:
            for parameter in head.parameters():
                parameter.mul_(0.01)
    faces = model.detect_faces(picture.transpose(1, 2, 0), conf_threshold=0.5)
    out["retinaface.faces"] = faces.astype(numpy.float32)
    print("retinaface", largest, faces.shape, faces[:3])


def parser(out):
    model = seeded.fill(ParseNet(in_size=512, out_size=512, parsing_ch=19))
    seeded.write_keys(model, os.path.join(GOLDEN, "keys", "parsenet.txt"))
    for height, width, name in ((64, 48, "small"), (512, 512, "real")):
        picture = torch.from_numpy(waves(height, width) / 127.5 - 1).unsqueeze(0)
        logits = model(picture)[0][0].numpy()
        out[f"parsenet.{name}"] = sample(logits)
        out[f"parsenet.{name}.classes"] = sample(logits.argmax(axis=0).astype(numpy.uint8))
        print("parsenet", name, numpy.abs(logits).max(), numpy.bincount(logits.argmax(axis=0).reshape(-1), minlength=19))


# ---- Alignment ----

TEMPLATE = numpy.array([[192.98138, 239.94708], [318.90277, 240.1936], [256.63416, 314.01935], [201.26117, 371.41043],
                        [313.08905, 371.15118]])


def align(out):
    """Faces turned, shrunk, moved; with noise that makes some of their points outliers."""
    generator = numpy.random.default_rng(7)
    points, matrices = [], []
    for i in range(120):
        angle, scale = generator.uniform(-0.8, 0.8), generator.uniform(0.05, 3)
        turn = scale * numpy.array([[numpy.cos(angle), -numpy.sin(angle)], [numpy.sin(angle), numpy.cos(angle)]])
        face = (TEMPLATE - 256) @ turn.T + generator.uniform(0, 2000, 2)
        face += generator.normal(0, (0, 0.5, 3, 15)[i % 4] * scale, (5, 2))
        face = face.astype(numpy.float32)
        points.append(face)
        matrices.append(cv2.estimateAffinePartial2D(face.astype(numpy.float64), TEMPLATE, method=cv2.LMEDS)[0])
    out["align.points"] = numpy.stack(points)
    out["align.matrices"] = numpy.stack(matrices).astype(numpy.float32)


# ---- The pipeline ----

FACES = [  # eyes, nose, corners of the mouth
    [[38.2, 31.5], [58.9, 33.0], [47.6, 44.2], [38.0, 53.9], [55.3, 55.1]],
    [[66.0, 50.4], [88.1, 44.7], [80.3, 59.6], [75.9, 70.2], [93.0, 65.8]],  # overlaps the first one
    [[4.1, 80.2], [19.7, 82.9], [11.0, 90.3], [3.7, 99.1], [15.2, 101.6]],  # reaches out of the picture
    [[90.0, 10.0], [93.0, 10.5], [91.5, 12.0], [90.2, 13.5], [92.8, 13.8]],  # eyes too near: left out
]


class Detector:
    def detect_faces(self, _picture, threshold):
        assert threshold == 0.97
        return numpy.array([[0, 0, 1, 1, 0.99, *numpy.array(face).reshape(-1)] for face in FACES], numpy.float32)


def classes():
    """Skin in an ellipse, cloth below, hair in a corner, background elsewhere."""
    y, x = numpy.mgrid[0:512, 0:512]
    result = numpy.where(((x - 256) ** 2) * 121 + ((y - 270) ** 2) * 100 < 100 * 121 * 400, 1, 0)
    result[(result == 0) & (y > 420)] = 18
    result[(x < 90) & (y < 150)] = 13
    return result


class Parser:
    def __call__(self, face):
        assert face.shape == (1, 3, 512, 512)
        return torch.nn.functional.one_hot(torch.from_numpy(classes()), 19).permute(2, 0, 1).unsqueeze(0).float(), None


class Inverter:
    def __call__(self, face, return_rgb, weight):
        return [-face]


class Background:
    def __init__(self, picture):
        self.picture = picture

    def enhance(self, _picture, outscale):
        return self.picture, None


def restorer(factor, background):
    face_restoration_helper.init_detection_model = lambda *_a, **_k: Detector()
    face_restoration_helper.init_parsing_model = lambda *_a, **_k: Parser()
    result = GFPGANer.__new__(GFPGANer)
    result.upscale = factor
    result.device = torch.device("cpu")
    result.bg_upsampler = Background(background)
    result.gfpgan = Inverter()
    result.face_helper = face_restoration_helper.FaceRestoreHelper(factor, use_parse=True, device=result.device)
    return result


def pipeline(out):
    height, width = 120, 100
    for name, factor, channels in (("twice", 2, 3), ("alpha", 2, 4), ("broken", 1.3, 3), ("same", 1, 3)):
        picture = bands(height, width, channels, 2)
        background = bands(int(height * factor), int(width * factor), channels, 1)
        crops, restored, result = restorer(factor, background).enhance(picture)
        assert len(crops) == 3
        out[f"pipeline.{name}"] = result
        if name == "twice":
            for i, crop in enumerate(crops):
                out[f"pipeline.crop{i}"] = sample(crop[:, :, ::-1], 4999)  # RGB
        else:
            out[f"pipeline.{name}"] = sample(result, 4999)
        print("pipeline", name, result.shape, result.dtype, (result != background).mean())
    wide = bands(height, width, 3, 2).astype(numpy.uint16) * 251 + 77
    crops = restorer(2, bands(2 * height, 2 * width, 3, 1)).enhance(wide)[0]
    out["pipeline.crop16"] = sample(crops[1][:, :, ::-1], 4999).astype(numpy.float32)

    mask = numpy.where(numpy.isin(classes(), [0, 14, 16, 17, 18]), 0.0, 255.0)
    for _ in range(2):
        mask = cv2.GaussianBlur(mask, (101, 101), 11)
    mask[:10] = mask[-10:] = mask[:, :10] = mask[:, -10:] = 0
    out["mask"] = sample(mask / 255, 4999).astype(numpy.float32)


def main():
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    os.makedirs(os.path.join(GOLDEN, "keys"), exist_ok=True)
    out = {}
    align(out)
    pipeline(out)
    detector(out)
    parser(out)
    save_file(out, os.path.join(GOLDEN, "faces.safetensors"))
    print("opencv", cv2.__version__, "torch", torch.__version__)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
