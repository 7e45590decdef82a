#!/usr/bin/env bash
# openWakeWord 0.4.0's melspectrogram.onnx cuts a quiet row's spectrum by the loudest row beside it.
#
# The model takes any number of rows. It keeps 80 dB below the maximum, and takes the maximum over the
# whole batch. Seen: half a second of a tone with an amplitude of 100 and half a second of silence has a
# least value of -17.8 dB alone, beside itself and beside silence; beside noise of 20000 it is 20.5, and
# nine tenths of the values differ, by up to 38 dB. So what a row says depends on its company. The
# library itself sends one row at a time on the CPU, and whole batches on CUDA.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.31.1 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/wake" openwakeword==0.4.0
cd "$folder"
venv/bin/python - <<'PY'
import numpy as np
import onnxruntime

FILE = "wake/openwakeword/resources/models/melspectrogram.onnx"
session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
assert session.get_inputs()[0].shape == ["batch_size", "samples"]


def first(*rows: np.ndarray) -> np.ndarray:
    """The first row's spectrum, of a call with all of them."""
    return session.run(None, {"input": np.stack(rows).astype(np.float32)})[0][0]


time = np.arange(16000) / 16000
quiet = 100 * np.sin(2 * np.pi * 440 * time) * (time < 0.5)
loud = 20000 * np.random.default_rng(0).standard_normal(16000)
alone, twins, silent = first(quiet), first(quiet, quiet), first(quiet, np.zeros(16000))
beside = first(quiet, loud)
moved = np.abs(beside - alone)
share = (moved > 0.1).mean()
print(f"least, alone: {alone.min():.1f} dB, beside noise: {beside.min():.1f} dB")
print(f"moved: {share:.2f} of the values, by up to {moved.max():.1f} dB")
assert np.abs(twins - alone).max() < 1e-3 and np.abs(silent - alone).max() < 1e-3
assert moved.max() > 30 and share > 0.8
PY
echo "as before: a row's spectrum depends on the loudest of its batch"
