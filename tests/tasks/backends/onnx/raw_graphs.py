"""Graphs of any inputs and outputs, built node by node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

#: OIP's datatype -> onnx's.
ELEMENTS = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "BF16": TensorProto.BFLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}

#: A tensor: name, OIP's datatype, axes.
Declared = tuple[str, str, Sequence[Any]]


def write(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Declared],
    outputs: Sequence[Declared],
    constants: Sequence[onnx.TensorProto] = (),
) -> Path:
    """A folder with the graph."""
    taken, given = (
        [helper.make_tensor_value_info(name, ELEMENTS[kind], axes) for name, kind, axes in some]
        for some in (inputs, outputs)
    )
    graph = helper.make_graph(list(nodes), "graph", taken, given, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    return folder


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any:
    """An operator."""
    return helper.make_node(kind, inputs, outputs, **attributes)


def same(folder: Path, datatype: str, axes: Sequence[Any] = ("n", "m")) -> Path:
    """y = x, of a datatype."""
    nodes = [node("Identity", ["x"], ["y"])]
    return write(folder, nodes, [("x", datatype, axes)], [("y", datatype, axes)])


def named(folder: Path) -> Path:
    """Numbers of a row, and a text of it, which has no further axis."""
    nodes = [node("Relu", ["x"], ["y"]), node("Identity", ["name"], ["same"])]
    inputs = [("x", "FP32", ("n", 3)), ("name", "BYTES", ("n",))]
    outputs = [("y", "FP32", ("n", 3)), ("same", "BYTES", ("n",))]
    return write(folder, nodes, inputs, outputs)


def pair(folder: Path, first: Sequence[Any] = ("n", "m")) -> Path:
    """total = a + cast(b), and which is greatest of each row."""
    nodes = [
        node("Cast", ["b"], ["wide"], to=TensorProto.FLOAT),
        node("Add", ["a", "wide"], ["total"]),
        node("ArgMax", ["total"], ["greatest"], axis=1, keepdims=0),
    ]
    inputs = [("a", "FP32", first), ("b", "INT32", first)]
    outputs = [("total", "FP32", first), ("greatest", "INT64", first[:1])]
    return write(folder, nodes, inputs, outputs)


def over_rows(folder: Path) -> Path:
    """Softmax over the first axis: a row depends on the others."""
    axes = ("n", 3)
    nodes = [node("Softmax", ["x"], ["y"], axis=0)]
    return write(folder, nodes, [("x", "FP32", axes)], [("y", "FP32", axes)])


def scalars(folder: Path) -> Path:
    """y = x * scale, with a scale that has no axis."""
    nodes = [node("Mul", ["x", "scale"], ["y"])]
    inputs = [("x", "FP32", ("n", 3)), ("scale", "FP32", ())]
    return write(folder, nodes, inputs, [("y", "FP32", ("n", 3))])


def found(folder: Path) -> Path:
    """Where a fixed picture is not zero: as many rows as there are such places."""
    nodes = [
        node("NonZero", ["x"], ["turned"]),
        node("Transpose", ["turned"], ["places"], perm=[1, 0]),
    ]
    return write(folder, nodes, [("x", "FP32", (2, 3))], [("places", "INT64", ("k", 2))])
