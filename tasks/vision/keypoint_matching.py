"""Keypoint matching. OIP: image BYTES [n, 2] -> score, x0, y0, x1, y1 FP32 [n, m].

A row is two pictures of one thing; places of the first are found again in the second, the surest
first (SuperGlue, Sarlin et al., 2020; LightGlue, Lindenberger et al., 2023; EfficientLoFTR, Wang et
al., 2024). No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import PNG
from ..tensors import TensorSpec
from .images import MAX_PIXELS, PicturesInput

PAIR = TensorSpec("image", Datatype.BYTES, (-1, 2), "pairs", "image")

SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "matches")
X0 = TensorSpec("x0", Datatype.FP32, (-1, -1), "matches")
Y0 = TensorSpec("y0", Datatype.FP32, (-1, -1), "matches")
X1 = TensorSpec("x1", Datatype.FP32, (-1, -1), "matches")
Y1 = TensorSpec("y1", Datatype.FP32, (-1, -1), "matches")


class KeypointMatchingInput(PicturesInput):
    """Pairs of images to match."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (PAIR,)
    ROWS: ClassVar[tuple[str, ...]] = ("pairs",)

    pairs: list[Annotated[list[bytes], Field(min_length=2, max_length=2)]] = Field(
        min_length=1, description="Per row two image files."
    )
    threshold: float = Field(
        default=0.0, ge=0, le=1, description="What the score of an answered match is above."
    )


class KeypointMatch(BaseModel):
    """A place in the first image and the same place in the second."""

    model_config = ConfigDict(frozen=True)

    score: float = Field(description="How sure the model is, 0 to 1.")
    x0: float = Field(description="Pixels from the left of the first image as sent.")
    y0: float = Field(description="Pixels from its top.")
    x1: float = Field(description="Pixels from the left of the second image.")
    y1: float = Field(description="Pixels from its top.")


class KeypointMatchingOutput(ItemsOutput):
    """Per pair the matches, the surest first."""

    ITEM: ClassVar[type[BaseModel]] = KeypointMatch
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (SCORE, X0, Y0, X1, Y1)
    ROWS: ClassVar[tuple[str, ...]] = ("matches",)

    matches: list[list[KeypointMatch]]


TASK = Task(
    name="keypoint-matching",
    family="vision",
    title="Keypoint matching",
    description="Finds places of one image again in another.",
    input=KeypointMatchingInput,
    output=KeypointMatchingOutput,
    outputs=(SCORE, X0, Y0, X1, Y1),
    default_model="magic-leap-community/superglue_outdoor",
    max_row_cost=2 * MAX_PIXELS,
    widget=Widget(("images",), "matches"),
    aliases=Aliases(huggingface=("keypoint-matching",)),
    example=Example(
        KeypointMatchingInput(pairs=[[PNG, PNG]], threshold=0.25),
        KeypointMatchingOutput(
            matches=[
                [
                    KeypointMatch(score=0.875, x0=4.0, y0=2.0, x1=5.0, y1=2.0),
                    KeypointMatch(score=0.5, x0=6.0, y0=7.0, x1=7.0, y1=7.0),
                ]
            ]
        ),
    ),
)
