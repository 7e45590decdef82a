from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ...protocol.datatypes import Datatype
from ..base import TaskInput
from ..tensors import TensorSpec

TEXT = TensorSpec("text", Datatype.BYTES, (-1,), "texts", "text")

#: Tokens of one row, at most; models cut at less, or refuse.
MAX_TOKENS = 1_000_000


class TextsInput(TaskInput):
    """A batch of texts."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (TEXT,)
    ROWS: ClassVar[tuple[str, ...]] = ("texts",)

    texts: list[str] = Field(min_length=1, description="Texts, one a row.")
