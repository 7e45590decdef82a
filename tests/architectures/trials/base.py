from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from ...tasks.backends.contract.likeness import unlike

#: Fields of an input of one row.
Row = Mapping[str, Any]


class Trial(ABC):
    """A task's rows, and what transformers' documented call says to them.

    Nothing here knows Wherry's code but the names of its fields.
    """

    #: Of several lengths; two of them alike.
    rows: Sequence[Row]
    #: What all rows have in common.
    fixed: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def __init__(self, folder: str, auto_class: str) -> None:
        self.folder, self.auto_class = folder, auto_class
        self.open()

    @abstractmethod
    def open(self) -> None:
        """Load the model as its documentation does."""

    def common(self) -> Mapping[str, Any]:
        """What all rows of this model have in common."""
        return self.fixed

    @abstractmethod
    def call(self, row: Row) -> Any:
        """The documented call's answer, in the form that `view` gives."""

    @abstractmethod
    def view(self, answer: Any) -> Any:
        """What is compared of Wherry's answer to one row, a task's output as plain data."""

    def apart(self, own: Any, expected: Any) -> str:
        """Where Wherry's answer parts from the documented call's; "" where they are alike."""
        return unlike(own, expected)
