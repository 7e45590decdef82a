from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...vision.images import MAX_PIXELS
from ..base import Backend
from ..device import Device
from ..facts import ModelFacts
from ..image.decode import decode
from ..image.page_reader import PageReader
from .session import check_place, runtime_place


class PageReading(Backend):
    """PP-OCR: one graph finds the lines, one reads them. The package rapidocr brings both.

    `threads` bounds each graph's threads; `max_pixels` a row's size before it is decoded.
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
        if source:
            raise ValueError(
                f"source {source!r}: the models of rapidocr are inside it; leave it out"
            )
        super().__init__(task, source, device=device)
        self._threads, self._max_pixels = threads, max_pixels
        self._reader: PageReader | None = None

    def load(self) -> None:
        """Open the graphs."""
        kind, _, number = runtime_place(self.device).partition(":")
        self._reader = PageReader(
            threads=self._threads, cuda=int(number or 0) if kind == "cuda" else None
        )
        for session in self._reader.sessions():
            check_place(session, self.device)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Page by page: pages differ in size and in how many lines they hold. The lines of a page
        go through the reading graph together.
        """
        return [self._answer(row) for row in batch]

    def _answer(self, row: TaskInput) -> TaskOutput | RowError:
        inputs: Any = row
        if self._reader is None:
            raise RuntimeError("the backend is not loaded")
        try:
            image = decode(inputs.images[0], self._max_pixels)
        except RowError as error:
            return error
        with self.device.compute():
            lines = self._reader.read(image)
        kept = [line for line in lines if line.score >= inputs.threshold]
        return self.task.output.model_validate({"lines": [kept]})

    def facts(self) -> ModelFacts:
        """The package that it is of."""
        return ModelFacts(runtime=f"rapidocr {version('rapidocr')}")

    def close(self) -> None:
        """Drop the graphs."""
        self._reader = None
