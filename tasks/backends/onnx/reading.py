"""What the adapters that read text share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ..company import Company, Probe
from ..text_encoders.reader import Reading, Tokens
from .adapter import Adapter
from .model import OnnxModel
from .reader import TextReader


class ReadingAdapter(Adapter):
    """Does a task with a reader, as its reading says."""

    #: What is done for each task.
    readings: ClassVar[Mapping[str, type[Reading]]]
    takes: ClassVar[tuple[str, ...]] = ("input_ids", "attention_mask", "token_type_ids")
    #: The graph's output that is read.
    output: ClassVar[str]

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        self.reader = self.make_reader()
        self.company = self.reader.company
        self.reading = self.readings[task.name](task, self.reader)

    def make_reader(self) -> TextReader:
        """The graph as a reader. Raises ValueError when the folder lacks something."""
        return TextReader(self.model, self.output)

    def probe(self) -> Probe[Tokens] | None:
        """As the reader is tried."""
        return self.reader.probe()

    def keep(self, company: Company) -> None:
        """Tell the reader."""
        super().keep(company)
        self.reader.company = company

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Rows alike in length share a run."""
        return self.reading.run(batch)
