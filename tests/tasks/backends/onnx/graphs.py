"""Graphs as other exporters make them, small enough to know their answers by hand."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray


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


def constant(
    folder: Path,
    outputs: Mapping[str, NDArray[Any]],
    *,
    image: tuple[str, Sequence[int | str]] = ("images", (1, 3, 64, 64)),
    dtype: int = onnx.TensorProto.FLOAT,
    brightness: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    metadata: Mapping[str, str] = MappingProxyType({}),
    labels: Mapping[int, str] | None = None,
) -> Path:
    """A folder with a graph that answers the same for every image; `brightness` is what each output
    gains for each unit of the image's mean. Weights of its own, not torch's.
    """
    helper, name = onnx.helper, image[0]
    nodes = [
        helper.make_node("Cast", [name], ["floats"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["mean"], keepdims=0),
    ]
    weights = []
    for output, values in outputs.items():
        gain = brightness.get(output, np.zeros_like(values)).astype(values.dtype)
        for part, array in (("values", values), ("gain", gain)):
            weights.append(onnx.numpy_helper.from_array(array, f"{output} {part}"))
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        nodes += [
            helper.make_node("Cast", ["mean"], [f"{output} mean"], to=kind),
            helper.make_node("Mul", [f"{output} gain", f"{output} mean"], [f"{output} more"]),
            helper.make_node("Add", [f"{output} values", f"{output} more"], [output]),
        ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info(name, dtype, image[1])],
        [
            helper.make_tensor_value_info(
                output, helper.np_dtype_to_tensor_dtype(values.dtype), values.shape
            )
            for output, values in outputs.items()
        ],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, dict(metadata))
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    if labels is not None:
        (folder / "config.json").write_text(json.dumps({"id2label": labels}))
    return folder


def rtmpose(folder: Path, size: tuple[int, int] = (192, 256), points: int = 17) -> Path:
    """A folder with MMPose's names and shapes: what columns and rows show weighs every place."""
    helper, random = onnx.helper, np.random.default_rng(0)
    nodes, outputs, weights = [], [], []
    for axis, edge, other in (("x", size[0], 2), ("y", size[1], 3)):
        mixed = random.normal(0, 1 / edge, (edge, points * 2 * edge)).astype(np.float32)
        shape = np.array([-1, points, 2 * edge])
        weights += [
            onnx.numpy_helper.from_array(mixed, f"w{axis}"),
            onnx.numpy_helper.from_array(shape, f"s{axis}"),
        ]
        nodes += [
            helper.make_node("ReduceMean", ["input"], [f"m{axis}"], axes=[1, other], keepdims=0),
            helper.make_node("MatMul", [f"m{axis}", f"w{axis}"], [f"p{axis}"]),
            helper.make_node("Reshape", [f"p{axis}", f"s{axis}"], [f"simcc_{axis}"]),
        ]
        outputs.append(
            helper.make_tensor_value_info(
                f"simcc_{axis}", onnx.TensorProto.FLOAT, ["batch", points, 2 * edge]
            )
        )
    image = helper.make_tensor_value_info(
        "input", onnx.TensorProto.FLOAT, ["batch", 3, size[1], size[0]]
    )
    graph = helper.make_graph(nodes, "rtmpose", [image], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
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
