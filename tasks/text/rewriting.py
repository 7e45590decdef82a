"""Texts made into other texts: what summaries, translations and their like take."""

from __future__ import annotations

from pydantic import Field

from .generation import GenerationInput
from .texts import CutInput, TextsInput


class RewritingInput(GenerationInput, TextsInput, CutInput):
    """Texts to make into others."""

    truncate: bool = Field(
        default=False,
        description="Cut a text that is too long for the model, and say so; else the row fails.",
    )
