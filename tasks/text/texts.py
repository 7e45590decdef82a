from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ...protocol.datatypes import Datatype
from ..base import TaskInput
from ..tensors import TensorSpec

TEXT = TensorSpec("text", Datatype.BYTES, (-1,), "texts", "text")

#: Tokens of one row, at most; models cut at less, or refuse.
MAX_TOKENS = 1_000_000


#: Which end of a text that is too long stays unread.
Side = Literal["right", "left"]


class BoundedInput(TaskInput):
    """Texts of which a model may read only a part."""

    truncate: bool = Field(
        default=True,
        description="Cut a text that is too long for the model, and say so; else the row fails.",
    )


class CutInput(BoundedInput):
    """Texts that may be cut at either end."""

    truncation_direction: Side = Field(
        default="right", description="Which end of a text is cut that is too long for the model."
    )


class TextsInput(TaskInput):
    """A batch of texts."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (TEXT,)
    ROWS: ClassVar[tuple[str, ...]] = ("texts",)

    texts: list[str] = Field(min_length=1, description="Texts, one a row.")
