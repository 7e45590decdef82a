"""The graph that answers the task `tensor`: `python -m training.arithmetic OUT`.

It is not trained: it doubles the numbers of a row, and sums them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
from onnx import TensorProto, helper


def build() -> onnx.ModelProto:
    """Take x [rows, numbers], give double [rows, numbers] and sum [rows]."""
    numbers = ["rows", "numbers"]
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "x"], ["double"]),
            helper.make_node("ReduceSum", ["x", "axes"], ["sum"], keepdims=0),
        ],
        "arithmetic",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, numbers)],
        [
            helper.make_tensor_value_info("double", TensorProto.FLOAT, numbers),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["rows"]),
        ],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(build(), folder / "model.onnx")
