from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...vision.images import MAX_PIXELS
from ..device import Device
from .base import OnnxBackend
from .dialects import resolve


class DialectBackend(OnnxBackend):
    """A task done by whichever adapter speaks the graph's dialect.

    `dialect` names one where several would do; empty takes the first that accepts the graph. What
    else is given goes to the adapter.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        threads: int = 0,
        max_pixels: int = MAX_PIXELS,
        dialect: str = "",
        **options: Any,  # the adapter's own
    ) -> None:
        super().__init__(task, source, device=device, threads=threads, max_pixels=max_pixels)
        self._dialect, self._options = dialect, options
        self.adapter: Any = None  # an Adapter between load and close

    def load_processor(self) -> None:
        """Find the adapter. Raises ValueError that names the graph's inputs and outputs, and the
        dialects there are; or what the adapter does not take.
        """
        found = resolve(
            self.task.name,
            self.graph.inputs,
            self.graph.outputs,
            self.model.config,
            dialect=self._dialect,
        )
        try:
            inspect.signature(found).bind(self.task, self.model, **self._options)
        except TypeError as error:
            raise ValueError(f"dialect {found.dialect!r}: {error}") from None
        self.adapter = found(self.task, self.model, **self._options)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """As the adapter answers."""
        answers: list[TaskOutput | RowError] = self.adapter.run(batch)
        return answers

    def close(self) -> None:
        """Drop the graphs."""
        super().close()
        self.adapter = None
