"""Candidate labels: what zero-shot tasks look for."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ...protocol.datatypes import Datatype
from ..tensors import TensorSpec
from ..text.texts import BoundedInput
from .images import IMAGE, ImagesInput

CANDIDATE_LABELS = TensorSpec("candidate_labels", Datatype.BYTES, (-1,), "candidate_labels", "text")


class CandidatesInput(ImagesInput, BoundedInput):
    """Images, and the labels to choose from, the same for all of them."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE, CANDIDATE_LABELS)

    candidate_labels: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, max_length=1000, description="Labels to choose from, for all rows."
    )
