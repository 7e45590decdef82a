"""Masked words. OIP: text BYTES [n] -> sequence BYTES, score FP32, token INT64, token_str BYTES
[n, k].

A text with several masks has k answers for each, one mask after the other; each mask is filled
by itself (Devlin et al., 2018).

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..tensors import TensorSpec
from .texts import MAX_TOKENS, TextsInput

OUTPUTS = (
    TensorSpec("sequence", Datatype.BYTES, (-1, -1), "fillings", "text"),
    TensorSpec("score", Datatype.FP32, (-1, -1), "fillings"),
    TensorSpec("token", Datatype.INT64, (-1, -1), "fillings"),
    TensorSpec("token_str", Datatype.BYTES, (-1, -1), "fillings", "text"),
)


class FillMaskInput(TextsInput):
    """Texts that hold the model's mask token, [MASK] or <mask>."""

    top_k: int = Field(default=5, ge=1, description="Most answers per mask.")
    targets: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Words to choose from; the first token counts of one the model does not know.",
    )


class Filling(BaseModel):
    """A token in a mask's place."""

    model_config = ConfigDict(frozen=True)

    sequence: str = Field(description="The text with the token in it.")
    score: float = Field(description="Probability, 0 to 1.")
    token: int = Field(description="The token's id.")
    token_str: str = Field(description="The token as text.")


class FillMaskOutput(ItemsOutput):
    """Per text, the likeliest tokens first."""

    ITEM: ClassVar[type[BaseModel]] = Filling
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = OUTPUTS
    ROWS: ClassVar[tuple[str, ...]] = ("fillings",)

    fillings: list[list[Filling]]


TASK = Task(
    name="fill-mask",
    family="text",
    title="Masked word prediction",
    description="Fills the gap in a text with the words that fit best.",
    input=FillMaskInput,
    output=FillMaskOutput,
    outputs=OUTPUTS,
    default_model="distilbert/distilroberta-base",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text",), "table"),
    aliases=Aliases(huggingface=("fill-mask",)),
    example=Example(
        FillMaskInput(texts=["The quick brown [MASK] jumps."], top_k=1),
        FillMaskOutput(
            fillings=[
                [
                    Filling(
                        sequence="the quick brown fox jumps.",
                        score=0.875,
                        token=4419,
                        token_str="fox",  # noqa: S106 # a word, no password
                    )
                ]
            ]
        ),
    ),
)
