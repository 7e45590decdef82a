from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ...protocol.errors import RowError
from ..base import Task, TaskInput, TaskOutput
from .device import Device


class Backend(ABC):
    """A model behind a task. Three verbs: load, run, close.

    `run` may be called by several threads at once: it decodes outside `device.compute()` and runs
    the model inside, so that one batch decodes while another computes.
    """

    def __init__(self, task: Task, source: str | None, *, device: Device) -> None:
        self.task, self.source, self.device = task, source, device

    @abstractmethod
    def load(self) -> None:
        """Bring the model to its device."""

    @abstractmethod
    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer inputs of one row each, in order: an output, or that row's own error.

        Raises OutOfMemory when the device cannot hold the batch, anything when the model fails.
        """

    def close(self) -> None:  # noqa: B027 # most backends hold nothing but memory
        """Free the model."""

    def example(self) -> TaskInput:
        """A row to warm up with."""
        return self.task.example.input.rows()[0]
