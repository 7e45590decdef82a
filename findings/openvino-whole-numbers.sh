#!/usr/bin/env bash
# openvino 2026.4.1 on the CPU computes whole numbers in fewer bits than their type has.
#
# INT64 goes in and comes out as INT64, and is cut to 32 bits between, even by Identity. Integers of
# 32 bits are compared, divided and reduced in float32 (24 bits): 16777217 equals 16777216. 8 bits
# saturate where ONNX Runtime goes round, and 5 / 3 is 2. Nothing is said, with every accuracy hint
# set. Seen beside onnxruntime 1.31.1, which answers as the types say.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openvino==2026.4.1 onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6
HOME=$folder "$folder/venv/bin/python" - "$folder/graph.onnx" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto as Proto
from onnx import helper

HINTS = {"EXECUTION_MODE_HINT": "ACCURACY", "INFERENCE_PRECISION_HINT": "f32"}


def answers(operator, arrays, out):
    """What both say of one operator."""
    kinds = [helper.np_dtype_to_tensor_dtype(array.dtype) for array in arrays]
    names = ["a", "b"][: len(arrays)]
    infos = [
        helper.make_tensor_value_info(name, kind, ["n"])
        for name, kind in zip(names, kinds, strict=True)
    ]
    node = helper.make_node(operator, names, ["y"])
    y = helper.make_tensor_value_info("y", out or kinds[0], ["n"])
    graph = helper.make_graph([node], "one", infos, [y])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), sys.argv[1])
    feed = dict(zip(names, arrays, strict=True))
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(sys.argv[1]), "CPU", HINTS)
    wanted, found = session.run(None, feed)[0], compiled(feed)[0]
    assert wanted.dtype == found.dtype
    print(f"{operator} of {arrays[0].dtype}: {wanted.tolist()}, OpenVINO {found.tolist()}")
    return wanted.tolist(), found.tolist()


def number(value, kind):
    return np.array([value], kind)


assert answers("Identity", [number(2**40 + 1, np.int64)], 0) == ([2**40 + 1], [1])
far = [number(2**24 + 1, np.int32), number(2**24, np.int32)]
assert answers("Equal", far, Proto.BOOL) == ([False], [True])
assert answers("Div", [far[1], far[0]], 0) == ([0], [1])
small = [number(5, np.uint8), number(3, np.uint8)]
assert answers("Div", small, 0) == ([1], [2])
assert answers("Add", [number(200, np.uint8)] * 2, 0) == ([144], [255])
PY
echo "as before: integers are computed in fewer bits than their types have"
