"""Export YOLO of random weights and say what Ultralytics itself finds with each file.

argv: folder, then pictures. Prints a line of JSON a graph and picture.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

sys.stdout = sys.stderr  # its log goes there; ours is what was standard output
os.environ["YOLO_OFFLINE"] = "true"
os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["YOLO_CONFIG_DIR"] = sys.argv[1]

# Ultralytics wants torchvision, for its suppression alone; it has one of its own, too, and the
# wheel of torchvision is made for CUDA.
_version = importlib.metadata.version
setattr(  # noqa: B010 # to types it is no variable
    importlib.metadata,
    "version",
    lambda name: "0.28.0" if name == "torchvision" else _version(name),
)

import torch  # noqa: E402 # it reads what is set above
from ultralytics import YOLO  # noqa: E402 # likewise
from ultralytics.utils.nms import TorchNMS  # noqa: E402 # likewise

torchvision = types.ModuleType("torchvision")
torchvision.__spec__ = importlib.machinery.ModuleSpec("torchvision", None)
vars(torchvision)["ops"] = types.SimpleNamespace(nms=TorchNMS.nms)
sys.modules["torchvision"] = torchvision

EDGE = 128

#: Model, how it is exported, and how a folder is called that holds it.
EXPORTS: list[tuple[str, str, dict[str, Any]]] = [
    ("yolo11n", "fixed", {}),
    ("yolo11n", "free", {"dynamic": True}),
    ("yolo11n", "half", {"half": True}),
    ("yolo11n", "rows", {"batch": 2}),
    ("yolo11n-seg", "fixed", {}),
    ("yolo11n-seg", "free", {"dynamic": True}),
    ("yolo11n-pose", "fixed", {}),
    ("yolo11n-pose", "free", {"dynamic": True}),
    ("yolo26n", "fixed", {}),
    # Its own word for "leave suppression to the model, which needs none".
    ("yolo26n", "end2end", {"nms": False}),
    ("yolo26n", "end2end-free", {"nms": False, "dynamic": True, "max_det": 100}),
    ("yolo26n-seg", "end2end", {"nms": False}),
    ("yolo26n-pose", "end2end", {"nms": False}),
    ("yolo11n-obb", "fixed", {}),
]


def noises() -> torch.Tensor:
    """Pictures of coarse and of fine grain, (6, 3, EDGE, EDGE)."""
    grains = [torch.rand(2, 3, EDGE // grain, EDGE // grain) for grain in (1, 4, 16)]
    return torch.cat(
        [torch.nn.functional.interpolate(grain, size=(EDGE, EDGE)) for grain in grains]
    )


#: What numbers each last layer is made to give, mean and deviation: a few chances over a quarter,
#: and boxes that do not end before they begin, which untrained ones do.
CALM = {"cv2": (2.0, 1.0), "cv3": (-1.5, 2.0), "cv4": (0.0, 1.0)}

#: Distances that YOLO11 knows from a place to an edge of its box.
BINS = 16


def calm(part: torch.nn.Module, mean: float, deviation: float) -> Any:  # a hook's handle
    """Make a last layer give such numbers for what comes next."""

    def scale(_: torch.nn.Module, __: Any, out: torch.Tensor) -> None:
        layer: Any = part  # a convolution
        means = torch.full_like(layer.bias, mean)
        if len(means) == 4 * BINS:  # a chance for each distance: the shorter, the likelier
            means -= 0.5 * torch.arange(BINS).repeat(4)
        factor = deviation / out.std((0, 2, 3))
        layer.bias.copy_(means + factor * (layer.bias - out.mean((0, 2, 3))))
        layer.weight.mul_(factor.view(-1, 1, 1, 1))

    return part.register_forward_hook(scale)


def model(name: str) -> Any:  # Ultralytics' own
    """A YOLO that is sure of a few things in every picture, and of no two alike."""
    torch.manual_seed(0)
    made = YOLO(f"{name}.yaml")
    head = made.model.model[-1]
    # Numbers that neither vanish nor grow from layer to layer.
    made.model.train()
    for part in made.model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
    with torch.no_grad():
        for _ in range(4):
            made.model(noises())
        made.model.eval()
        handles = [
            calm(part, *numbers)
            for key, part in head.named_modules()
            if isinstance(part, torch.nn.Conv2d) and part.bias is not None
            for start, numbers in CALM.items()
            if key.removeprefix("one2one_").startswith(start)
        ]
        made.model(noises())
    for handle in handles:
        handle.remove()
    return made


def found(result: Any) -> dict[str, Any]:
    """A result's classes, or its boxes, keypoints and how many pixels its masks have."""
    if result.probs is not None:
        return {
            "chances": dict(zip(result.names.values(), result.probs.data.tolist(), strict=True))
        }
    if result.boxes is None:
        return {}
    told: dict[str, Any] = {
        "boxes": [
            [result.names[int(cls)], float(score), *map(float, edges)]
            for edges, score, cls in zip(
                result.boxes.xyxy, result.boxes.conf, result.boxes.cls, strict=True
            )
        ]
    }
    if result.keypoints is not None:
        told["keypoints"] = result.keypoints.data.tolist()
    if result.masks is not None:
        told["masks"] = [int(mask.sum()) for mask in result.masks.data]
    return told


def main() -> None:
    """Each of the exports, with each picture."""
    folder, *pictures = map(Path, sys.argv[1:])
    os.chdir(folder)
    for name, how, parameters in EXPORTS:
        place = folder / f"{name}-{how}"
        place.mkdir()
        file = model(name).export(format="onnx", imgsz=EDGE, **parameters)
        Path(file).rename(place / "model.onnx")
        served = YOLO(str(place / "model.onnx"))
        for picture in pictures:
            result = served.predict(
                str(picture), imgsz=EDGE, retina_masks=True, verbose=False, device="cpu"
            )[0]
            line = {"graph": place.name, "picture": picture.name, **found(result)}
            print(json.dumps(line), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main()
