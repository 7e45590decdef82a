"""Labels with scores: what every classification answers."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ..protocol.datatypes import Datatype
from .items import ItemsOutput
from .tensors import TensorSpec

LABEL = TensorSpec("label", Datatype.BYTES, (-1, -1), "results", "text")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "results")


class ClassificationResult(BaseModel):
    """A label and how sure the model is of it."""

    model_config = ConfigDict(frozen=True)

    label: str
    score: float = Field(description="Probability, 0 to 1.")


class LabelsOutput(ItemsOutput):
    """Per row, the likeliest labels first."""

    ITEM: ClassVar[type[BaseModel]] = ClassificationResult
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (LABEL, SCORE)
    ROWS: ClassVar[tuple[str, ...]] = ("results",)

    results: list[list[ClassificationResult]]
