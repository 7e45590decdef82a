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


class OnnxBackend(Backend):
    """A graph of ONNX Runtime. `threads` bounds its threads; 0 leaves them to the runtime."""

    def __init__(self, task: Task, source: str | None, *, device: Device, threads: int = 0) -> None:
        super().__init__(task, source, device=device)
        if source is None or not Path(source).is_dir():
            raise TypeError(f"source {source!r}: expected a folder with model.onnx")
        self.folder, self._threads = Path(source), threads
        self.session: Any = None  # onnxruntime ships no types
        self.config: dict[str, Any] = {}

    def load(self) -> None:
        """Open the graph on the device."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads or len(os.sched_getaffinity(0))
        self.session = ort.InferenceSession(
            str(self._graph()), options, providers=self._providers()
        )
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

    def require(self, inputs: set[str], outputs: set[str]) -> None:
        """Raise ValueError unless the graph has these inputs and outputs."""
        if not (inputs <= set(self.input_names) and outputs <= set(self.output_names)):
            raise ValueError(
                f"{self.folder}: a graph with inputs {self.input_names} and outputs "
                f"{self.output_names} does not fit {self.task.name}: expected inputs "
                f"{sorted(inputs)} and outputs {sorted(outputs)}"
            )

    def forward(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Run the graph while holding the device."""
        try:
            with self.device.compute():
                values = self.session.run(None, dict(arrays))
        except RuntimeError as error:
            if "allocate memory" in str(error):
                raise OutOfMemory from error
            raise
        return dict(zip(self.output_names, map(np.asarray, values), strict=True))

    def labels(self) -> dict[int, str]:
        """id2label of config.json."""
        named: dict[str, str] = self.config.get("id2label", {})
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
