"""Candidate labels: what zero-shot tasks look for."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ..tensors import TensorSpec
from ..text.texts import BoundedInput
from ..text.zero_shot_classification import CANDIDATE_LABELS
from .images import IMAGE, ImagesInput


class CandidatesInput(ImagesInput, BoundedInput):
    """Images, and the labels to choose from, the same for all of them."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE, CANDIDATE_LABELS)

    candidate_labels: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, max_length=1000, description="Labels to choose from, for all rows."
    )
