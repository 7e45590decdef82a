#!/usr/bin/env bash
# onnxruntime 1.31.1 without CUDA, asked for CUDA alone, runs on the CPU.
#
# `providers=["CUDAExecutionProvider"]` names no CPU, and PyPI's `onnxruntime` has no CUDA. Seen: the
# session is made, with a UserWarning and no error, and computes on the CPU. `get_providers()` tells;
# who names a device must compare it with what was asked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", [x], [y])
opset = [helper.make_opsetid("", 18)]
model = helper.make_model(graph, opset_imports=opset, ir_version=10)
onnx.checker.check_model(model)

assert "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CUDAExecutionProvider"]
    )
print("asked for CUDA, got", session.get_providers())
print("said:", caught[0].category.__name__, str(caught[0].message)[:78])
assert session.get_providers() == ["CPUExecutionProvider"]
assert [entry.category for entry in caught] == [UserWarning]
assert session.run(None, {"x": np.ones(1, np.float32)})[0] == 1
PY
echo "as before: a provider that is not there is replaced by the CPU"
