"""Export a YOLO of random weights and say what Ultralytics itself finds with the file.

argv: folder, then pictures. Prints a line of JSON a graph and picture: its boxes, keypoints, and
how many pixels each mask has, with its middle.
"""

from __future__ import annotations

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
vars(torchvision)["ops"] = types.SimpleNamespace(nms=TorchNMS.nms)
sys.modules["torchvision"] = torchvision

EDGE = 128


def model(name: str) -> Any:  # Ultralytics' own
    """A YOLO that is sure of something in every picture."""
    torch.manual_seed(0)
    made = YOLO(name)
    for key, values in made.model.model[-1].named_parameters():
        if ("cv3" in key or "cv4" in key) and values.ndim > 1 and values.shape[-1] == 1:
            torch.nn.init.normal_(values, std=values.shape[1] ** -0.5)
    # Numbers that neither vanish nor grow from layer to layer.
    made.model.train()
    for part in made.model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
    with torch.no_grad():
        for _ in range(4):
            noise = torch.rand(4, 3, EDGE // 8, EDGE // 8)
            made.model(torch.nn.functional.interpolate(noise, size=(EDGE, EDGE), mode="bilinear"))
    made.model.eval()
    return made


def found(result: Any) -> dict[str, Any]:
    """A result's boxes, keypoints and masks."""
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
    """Each task, of a fixed size and of any."""
    folder, *pictures = map(Path, sys.argv[1:])
    os.chdir(folder)
    for name in ("yolo11n", "yolo11n-seg", "yolo11n-pose"):
        for dynamic in (False, True):
            place = folder / f"{name}-{'free' if dynamic else 'fixed'}"
            place.mkdir()
            file = model(f"{name}.yaml").export(format="onnx", imgsz=EDGE, dynamic=dynamic)
            Path(file).rename(place / "model.onnx")
            served = YOLO(str(place / "model.onnx"))
            for picture in pictures:
                (result,) = served.predict(
                    picture, imgsz=EDGE, retina_masks=True, verbose=False, device="cpu", max_det=20
                )
                line = {"graph": place.name, "picture": picture.name, **found(result)}
                print(json.dumps(line), file=sys.__stdout__)


main()
