"""What the adapters that read text share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ..reading.reader import Reading
from .adapter import Adapter
from .model import OnnxModel
from .reader import TextReader


class ReadingAdapter(Adapter):
    """Does a task with a reader, as its reading says."""

    #: What is done for each task.
    readings: ClassVar[Mapping[str, type[Reading]]]
    #: The graph's output that is read.
    output: ClassVar[str]

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        self.reading = self.readings[task.name](task, self.make_reader())

    def make_reader(self) -> TextReader:
        """The graph as a reader. Raises ValueError when the folder lacks something."""
        return TextReader(self.model, self.output)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Rows alike in length share a run."""
        return self.reading.run(batch)
