from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ...tasks.backends.contract.likeness import unlike

#: Fields of an input of one row.
Row = Mapping[str, Any]


class Trial(ABC):
    """A task's rows, and what transformers' documented call says to them.

    Nothing here knows Wherry's code but the names of its fields.
    """

    #: Of several lengths; two of them alike.
    rows: ClassVar[Sequence[Row]]
    #: What the backend is declared with.
    declared: ClassVar[Mapping[str, Any]] = {}
    #: For rows, when more than texts are compared exactly.
    fixed: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, folder: str, auto_class: str) -> None:
        self.folder, self.auto_class = folder, auto_class
        self.open()

    @abstractmethod
    def open(self) -> None:
        """Load the model as its documentation does."""

    @abstractmethod
    def call(self, row: Row) -> Any:
        """The documented call's answer, in the form that `view` gives."""

    @abstractmethod
    def view(self, answer: Any) -> Any:
        """What is compared of Wherry's answer to one row, a task's output as plain data."""

    def apart(self, own: Any, expected: Any) -> str:
        """Where Wherry's answer parts from the documented call's; "" where they are alike."""
        return unlike(own, expected)
