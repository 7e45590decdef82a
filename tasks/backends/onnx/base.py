from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ....protocol.errors import OutOfMemory
from ...base import Task
from ..base import Backend
from ..device import Device

Arrays = Mapping[str, NDArray[Any]]

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class OnnxBackend(Backend):
    """A graph of ONNX Runtime. `threads` bounds its threads; 0 takes every core of the process."""

    def __init__(self, task: Task, source: str | None, *, device: Device, threads: int = 0) -> None:
        super().__init__(task, source, device=device)
        if source is None or not Path(source).is_dir():
            raise ValueError(f"source {source!r}: expected a folder with model.onnx")
        self.folder, self._threads = Path(source), threads
        self.session: Any = None  # onnxruntime ships no types
        self.config: dict[str, Any] = {}

    def load(self) -> None:
        """Open the graph on the device. Raises ValueError when it does not fit the task."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads or _cores()
        self.session = ort.InferenceSession(
            str(self._graph()), options, providers=self._providers()
        )
        self._types = {node.name: _DTYPES.get(node.type) for node in self.session.get_inputs()}
        self.config = self.read_json("config.json")
        self.load_processor()

    def _graph(self) -> Path:
        for name in ("model.onnx", "model_optimized.onnx"):
            if (self.folder / name).exists():
                return self.folder / name
        found = sorted(self.folder.glob("*.onnx"))
        if not found:
            raise ValueError(f"{self.folder} holds no .onnx file")
        return found[0]

    def _providers(self) -> list[Any]:
        if not self.device.name.startswith("cuda"):
            return ["CPUExecutionProvider"]
        # The default arena doubles at each growth; asking for what is needed keeps others alive.
        options = {
            "device_id": int(self.device.name.partition(":")[2] or 0),
            "arena_extend_strategy": "kSameAsRequested",
        }
        return [("CUDAExecutionProvider", options), "CPUExecutionProvider"]

    @abstractmethod
    def load_processor(self) -> None:
        """Load what turns rows into arrays, and check that the graph fits the task."""

    @property
    def input_names(self) -> list[str]:
        """The graph's inputs."""
        return [node.name for node in self.session.get_inputs()]

    @property
    def output_names(self) -> list[str]:
        """The graph's outputs."""
        return [node.name for node in self.session.get_outputs()]

    def require(
        self, inputs: set[str], outputs: set[str], *, optional: frozenset[str] = frozenset()
    ) -> None:
        """Raise ValueError unless the graph takes these inputs alone and gives these outputs."""
        taken, given = set(self.input_names), set(self.output_names)
        if not (inputs <= taken <= inputs | optional and outputs <= given):
            raise ValueError(
                f"{self.folder}: a graph with inputs {self.input_names} and outputs "
                f"{self.output_names} does not fit {self.task.name}: expected inputs "
                f"{sorted(inputs)} and outputs {sorted(outputs)}"
            )

    def forward(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Run the graph while holding the device. Arrays take the graph's types; floats come
        back as float32. Raises OutOfMemory.
        """
        feed = {
            name: array.astype(self._types[name] or array.dtype, copy=False)
            for name, array in arrays.items()
        }
        try:
            with self.device.compute():
                values = self.session.run(None, feed)
        except Exception as error:
            # The runtime's exceptions share no base but Exception; the text alone tells.
            text = str(error).lower()
            if "allocate memory" in text or "out of memory" in text or "bad allocation" in text:
                raise OutOfMemory from error
            raise
        arrays_out = map(np.asarray, values)
        return {
            name: array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
            for name, array in zip(self.output_names, arrays_out, strict=True)
        }

    def labels(self) -> dict[int, str]:
        """id2label of config.json."""
        named: dict[str, str] = self.config.get("id2label") or {}
        return {int(number): name for number, name in named.items()}

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder; empty when it is not there."""
        path = self.folder / name
        if not path.exists():
            return {}
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    def close(self) -> None:
        """Drop the graph."""
        self.session = None


def _cores() -> int:
    # The runtime's own default counts cores that the process may not use.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
