"""Tiny graphs as others export them, of random weights: what they see changes what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch.nn import functional

from wherry.samples.tiny import build

from ..onnx import graphs, sam
from ..onnx.towers import towers_of

_EDGE = 64
_ULTRALYTICS = {
    "names": "{0: 'person', 1: 'bus'}",
    "imgsz": "[64, 64]",
    "end2end": "False",
    "args": "{'nms': None}",
}


class Yolo(torch.nn.Module):
    """Candidates of two classes with `more` numbers, and as many maps where there are any."""

    def __init__(self, more: int, maps: int = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weights, self.maps = torch.randn(6 + more, 3) * 4, torch.randn(maps, 3) * 4

    def forward(self, images: torch.Tensor) -> Any:
        cells = [functional.avg_pool2d(images, edge).flatten(2) for edge in (8, 16, 32)]
        numbers = (self.weights @ torch.cat(cells, dim=2)).sin()  # (B, 6 + more, 84)
        places = (numbers[:, :2] + 1) * _EDGE / 2
        sizes = (numbers[:, 2:4] + 2) * _EDGE / 8
        scores = (numbers[:, 4:6] + 1) / 2
        if not len(self.maps):
            points = [(numbers[:, 6:] + 1) * torch.tensor([32.0, 32.0, 0.5] * 2).view(1, 6, 1)]
            return torch.cat([places, sizes, scores, *points], dim=1)
        small = functional.avg_pool2d(images, 4)
        maps = (self.maps @ small.flatten(2)).sin().unflatten(2, small.shape[2:])
        return torch.cat([places, sizes, scores, numbers[:, 6:]], dim=1), maps


class Line(torch.nn.Module):
    """The probability of each of six characters, or none, at each fourth column of a grey line."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.look = torch.nn.Conv2d(1, 7, (16, 4), stride=(16, 4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = self.look(1 - images)[:, :, 0] * 8
        return seen.softmax(1).transpose(1, 2)  # (B, W / 4, 7)


def _yolo(folder: Path, kind: str, more: int, maps: int = 0, **metadata: str) -> Path:
    names = ["output0", "output1"] if maps else ["output0"]
    image = torch.zeros(1, 3, _EDGE, _EDGE)
    graphs.write(folder, Yolo(more, maps), image, ("images", names), free=True)
    model = onnx.load(folder / "model.onnx")
    onnx.helper.set_model_props(model, {**_ULTRALYTICS, "task": kind, **metadata})
    onnx.save(model, folder / "model.onnx")
    return folder


def _line(folder: Path) -> Path:
    graphs.write(folder, Line(), torch.zeros(1, 1, 16, 40), ("line", ["places"]), free=True)
    model = onnx.load(folder / "model.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_param = "width"
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "columns"
    del model.graph.value_info[:]
    onnx.save(model, folder / "model.onnx")
    return folder


def _towers(folder: Path) -> Path:
    source = build("zero-shot-image-classification-siglip", folder.with_name(f"{folder.name}-of"))
    return towers_of(source, folder, ("pooler_output", "pooler_output"))


def _sam(folder: Path) -> Path:
    source = build("mask-generation", folder.with_name("sam"))
    return sam.segment_anything(source, folder)


#: What writes each.
WRITERS: Mapping[str, Callable[[Path], Path]] = {
    "image-segmentation-yolo": lambda folder: _yolo(folder, "segment", 4, 4),
    "keypoint-detection-yolo": lambda folder: _yolo(folder, "pose", 6, kpt_shape="[2, 3]"),
    "keypoint-detection-rtmpose": lambda folder: graphs.rtmpose(folder, (48, 64)),
    "image-feature-extraction-siglip": _towers,
    "mask-generation-in-two": _sam,
    "multimodal-embedding-siglip": _towers,
    "optical-character-recognition-ctc": _line,
}
