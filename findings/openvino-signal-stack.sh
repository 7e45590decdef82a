#!/usr/bin/env bash
# openvino 2026.4.1 on the CPU leaves a thread an alternate signal stack that is no memory any more.
#
# Compiling for the CPU gives the compiling thread an alternate stack for signals. Seen: when the
# last reference to core and compiled model goes in that thread, the stack of before is back; when
# it goes in another thread, the memory is unmapped and the first thread's address stays as it was.
# CPython takes its signals on that stack. Whoever serves from threads keeps one `Core` for good.
# Only where the stack lies is looked at here: no signal is sent.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openvino==2026.4.1 numpy==2.4.6
HOME=$folder "$folder/venv/bin/python" - <<'PY'
import ctypes
import gc
import threading

import numpy as np
import openvino
from openvino import opset13 as ops


class Stack(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


def stack():
    """Where this thread's alternate stack lies, and whether that is memory."""
    found = Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    with open("/proc/self/maps") as maps:
        areas = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
    return found.at, any(start <= (found.at or 0) < end for start, end in areas)


def compiled():
    x = ops.parameter([1, 4], np.float32)
    core = openvino.Core()
    return [core, core.compile_model(openvino.Model([ops.relu(x)], [x], "relu"), "CPU")]


before = stack()[0]
held = compiled()
assert stack()[0] != before and stack()[1]
del held
gc.collect()
print("gone in the thread that compiled: as before", stack()[0] == before)
assert stack()[0] == before

held = compiled()
at = stack()[0]


def drop():
    held.clear()
    gc.collect()


thread = threading.Thread(target=drop)
thread.start()
thread.join()
print("gone in another thread: same address", stack()[0] == at, "- memory", stack()[1])
assert stack() == (at, False)
PY
echo "as before: the stack's memory goes with the last reference, its address does not"
