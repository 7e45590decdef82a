#!/usr/bin/env bash
# safetensors 0.8.0 does not read bfloat16 into numpy.
#
# bfloat16 is one of the format's datatypes, and most checkpoints of today have it. Seen:
# `safetensors.numpy.load_file` and `safe_open(..., framework="numpy")` raise TypeError ("data type
# 'bfloat16' not understood"), though the file is whole: its header, read by hand, tells the tensor.
# Who reads weights without torch takes the bytes with `safetensors.deserialize` and widens them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PY'
import json

import numpy as np
import safetensors
import safetensors.numpy

# 1.0 and -2.0 in bfloat16: the upper halves of their float32.
data = (np.array([1.0, -2.0], np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
header += b" " * (-len(header) % 8)
with open("model.safetensors", "wb") as file:
    file.write(len(header).to_bytes(8, "little") + header + data)


def refused(read: object) -> str:
    try:
        read()
    except TypeError as error:
        return str(error)
    raise SystemExit("it is read now")


def opened() -> None:
    with safetensors.safe_open("model.safetensors", framework="numpy") as file:
        file.get_tensor("w")


print("load_file:", refused(lambda: safetensors.numpy.load_file("model.safetensors")))
print("safe_open:", refused(opened))
with open("model.safetensors", "rb") as file:
    ((name, told),) = safetensors.deserialize(file.read())
halves = np.frombuffer(told["data"], "<u2").astype(np.uint32) << 16
print("deserialize:", name, told["dtype"], halves.view(np.float32))
assert halves.view(np.float32).tolist() == [1.0, -2.0]
PY
echo "as before: bfloat16 is not for numpy"
