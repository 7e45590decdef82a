from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from ...protocol.errors import RowError, Unavailable
from ..base import Task, TaskInput, TaskOutput
from ..text.tokens import Listener
from .company import Company, Probe, try_company
from .device import Device
from .facts import ModelFacts


class NotAnsweredError(Unavailable):
    """The model could not be asked; the row waits and goes again."""


class ModelRefused(Exception):
    """A model cannot be served as it stands. Its text is one line: the fault and the remedy."""


class Backend(ABC):
    """A model behind a task. Three verbs: load, run, close.

    `run` may be called by several threads at once: it decodes outside `device.compute()` and runs
    the model inside, so that one batch decodes while another computes.
    """

    #: Which rows share forwards: as declared, or as found once the model is loaded.
    company: Company = Company()
    _declared: Company | None = None
    #: Whether each row of a batch may have its own of the parameters in `Task.own`; else `run` is
    #: given rows that have them alike.
    rows_have_own: bool = False
    #: Whether it follows what `TaskInput.binding` names; else such rows are refused.
    follows_forms: bool = False
    #: Whether another machine computes: its batches run side by side, and hold no device.
    is_remote: bool = False

    def __init__(self, task: Task, source: str | None, *, device: Device) -> None:
        self.task, self.source, self.device = task, source, device

    @abstractmethod
    def load(self) -> None:
        """Bring the model to its device. Raises ModelRefused when it is not whole or not fit."""

    @abstractmethod
    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer inputs of one row each, in order: an output, or that row's own error.

        Raises OutOfMemory when the device cannot hold the batch, anything when the model fails.
        """

    def warm_up(self) -> None:
        """Run a first forward, and find out which rows may share one. Raises ModelRefused."""
        for answer in self.run([self.example()]):
            if isinstance(answer, TaskOutput) and not _is_finite(answer.model_dump()):
                raise ModelRefused(
                    "the answer to the task's example holds NaN or infinity: are the weights whole,"
                    " and is the dtype wide enough?"
                )
        self.find_company()

    def find_company(self) -> None:
        """Try whether rows answer the same in company as alone, unless the declaration says."""
        probe = None if self._declared else self.probe()
        if probe is not None:
            self.company = try_company(probe, str(self.source))

    def probe(self) -> Probe[Any] | None:
        """Rows of several lengths to try the model with; None where rows are never padded."""
        return None

    @property
    def away(self) -> str:
        """Why a model that is remote answers nothing now; "" while it does."""
        return ""

    def claimable(self, held: int) -> int | None:  # noqa: ARG002 # what is here has all the room
        """How many rows more may be claimed for a model that has so many; None for no bound."""
        return None

    def meter(self, among: int, told: Callable[[int, float], float]) -> None:  # noqa: B027 # nothing costs here
        """Take one of so many workers' part of a remote model's limits; and tell of what was spent
        since the last time, by the day, to who answers what all have spent on it.
        """

    def interrupt(self, *, all_of_them: bool = False) -> None:  # noqa: B027 # nothing waits here
        """Begin no more calls to another machine, or end those under way, too: the worker stops."""

    def facts(self) -> ModelFacts:
        """What can be said of the model now that it is loaded."""
        return ModelFacts()

    def close(self) -> None:  # noqa: B027 # most backends hold nothing but memory
        """Free the model."""

    def example(self) -> TaskInput:
        """A row to warm up with."""
        return self.task.example.input.rows()[0]


def _is_finite(value: object) -> bool:
    """Whether all floats in an answer are numbers."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list | tuple) or all(map(_is_finite, value))


class StreamingBackend(Backend):
    """A model that tells of its rows' tokens before their answers are whole."""

    @abstractmethod
    def stream(
        self, batch: Sequence[TaskInput], listeners: Sequence[Listener | None]
    ) -> list[TaskOutput | RowError]:
        """Answer as `run` does, telling each row's tokens to its listener, where it has one.

        A row whose listener has had enough may end early; what it answers is of no interest.
        """

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer with nobody listening."""
        return self.stream(batch, [None] * len(batch))
