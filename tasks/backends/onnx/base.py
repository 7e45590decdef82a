from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ...base import Task
from ...vision.images import MAX_PIXELS
from ..base import Backend
from ..device import Device
from .graph import Graph
from .model import OnnxModel, folder_of


class OnnxBackend(Backend):
    """A folder's graph on ONNX Runtime.

    `threads` bounds its threads, 0 takes every core of the process; `max_pixels` bounds a row's
    image before it is decoded.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        threads: int = 0,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__(task, source, device=device)
        self.folder = folder_of(source)
        self._threads, self._max_pixels = threads, max_pixels
        self.model: Any = None  # an OnnxModel between load and close

    def load(self) -> None:
        """Open the graph on the device. Raises ValueError when it does not fit the task."""
        self.model = OnnxModel(
            self.source, self.device, threads=self._threads, max_pixels=self._max_pixels
        )
        self.load_processor()

    @abstractmethod
    def load_processor(self) -> None:
        """Load what turns rows into arrays, and check that the graph fits the task."""

    @property
    def graph(self) -> Graph:
        """The folder's graph."""
        graph: Graph = self.model.graph
        return graph

    def close(self) -> None:
        """Drop the graph."""
        self.model = None
