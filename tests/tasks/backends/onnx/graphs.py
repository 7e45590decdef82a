"""Graphs as other exporters make them, small enough to know their answers by hand."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch


class Detector(torch.nn.Module):
    """Answers the same for every image, but for the first score: it grows with brightness."""

    def __init__(self, *constants: torch.Tensor) -> None:
        super().__init__()
        self.constants = [*constants]

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        bright = images.mean()
        return tuple(constant + (bright * 0).to(constant.dtype) for constant in self.constants)


class Yolo(torch.nn.Module):
    """Candidates (4 + C, N); the first one's first class gains half the image's brightness."""

    def __init__(self, candidates: torch.Tensor, *, turned: bool) -> None:
        super().__init__()
        self.candidates, self.turned = candidates, turned
        self.gain = torch.zeros_like(candidates)
        self.gain[4, 0] = 0.5

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = images.mean(dim=(1, 2, 3)).view(-1, 1, 1)
        out = self.candidates + bright * self.gain
        return out.transpose(1, 2) if self.turned else out


def write(
    folder: Path,
    model: torch.nn.Module,
    image: torch.Tensor,
    names: tuple[str, Sequence[str]],
    *,
    free: bool = False,
    labels: Mapping[int, str] | None = None,
) -> Path:
    """A folder with the graph: its input and outputs, and whether its batch is free."""
    folder.mkdir(parents=True)
    axes = {name: {0: "batch"} for name in (names[0], *names[1])} if free else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (image,),
            str(folder / "model.onnx"),
            input_names=[names[0]],
            output_names=[*names[1]],
            dynamic_axes=axes,
            dynamo=False,
        )
    if labels is not None:
        (folder / "config.json").write_text(json.dumps({"id2label": labels}))
    return folder


def fixed(folder: Path, *, axis: int = 0, **sizes: int) -> Path:
    """Nail an axis of a graph's inputs to a size: the rows, unless told otherwise."""
    model = onnx.load(folder / "model.onnx")
    for node in model.graph.input:
        if node.name in sizes:
            node.type.tensor_type.shape.dim[axis].dim_value = sizes[node.name]
    for node in model.graph.output:
        for dim in node.type.tensor_type.shape.dim:
            dim.dim_param = "" if dim.dim_value else "free"
    del model.graph.value_info[:]
    onnx.save(model, folder / "model.onnx")
    return folder
