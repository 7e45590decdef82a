"""What a dialect's adapter is made of; docs/onnx-adapters.md shows how to write one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ..company import Company, Probe
from .graph import Shapes
from .model import OnnxModel


class GraphInfo(NamedTuple):
    """What a file tells of itself: names and axes, config.json, and its exporter's metadata."""

    inputs: Shapes
    outputs: Shapes
    config: Mapping[str, Any]
    metadata: Mapping[str, str]


class Adapter(ABC):
    """Answers tasks with the graphs of one dialect: of certain inputs and outputs.

    It is made when its model loads, and reads all it needs then, so that a folder that lacks
    something fails at once, with a ValueError. It answers an example then, too: whatever it raises
    refuses the model.
    """

    #: What the dialect is called.
    dialect: ClassVar[str]
    #: The tasks it answers.
    tasks: ClassVar[tuple[str, ...]]
    #: The graph's outputs that it reads by name; those of `outputs` are called so, in this order.
    reads: ClassVar[tuple[str, ...]] = ()
    #: The graph's inputs that `input` may name otherwise, in this order.
    takes: ClassVar[tuple[str, ...]] = ()
    #: Whether `labels` are of use: whether it answers with names of the model's classes.
    labelled: ClassVar[bool] = True
    #: Which rows share runs.
    company: Company = Company()

    def __init__(self, task: Task, model: OnnxModel) -> None:
        self.task, self.model, self.graph = task, model, model.graph

    def probe(self) -> Probe[Any] | None:
        """Rows of several lengths to try the graph with; None where rows are never padded."""
        return None

    def keep(self, company: Company) -> None:
        """Let rows share runs in this way from now on."""
        self.company = company

    @classmethod
    @abstractmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:
        """Whether a graph of these names (and axes), with this config.json, speaks the dialect."""

    @classmethod
    def misfit(cls, told: GraphInfo, *, named: bool) -> str:  # noqa: ARG003 # for those that look closer
        """Why a graph that is accepted is of another kind all the same; empty where it is not.

        `named`: its operator says that it is of this dialect, which decides where nothing else can.
        """
        return ""

    @abstractmethod
    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer inputs of one row each, in order: an output, or that row's own error.

        Raises OutOfMemory when the device cannot hold the batch. Several threads may call it.
        """


def has_rank(shape: Sequence[object], rank: int) -> bool:
    """Whether a tensor may have that many axes; a graph need not tell."""
    return len(shape) in (0, rank)
