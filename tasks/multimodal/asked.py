"""A text to answer beside each row: what models that converse about something take."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from ..base import TaskInput
from ..text.generation import MAX_NEW_TOKENS, DoSample, Seed, Temperature, TopP

#: Parameters that each row of a batch has by itself.
OWN = ("max_new_tokens", "do_sample", "temperature", "top_p")


class AskedInput(TaskInput):
    """Prompts, one for each of the first field of `ROWS`, or one for all; and how to answer."""

    texts: list[str] = Field(min_length=1, description="Prompts: one a row, or one for all.")
    max_new_tokens: int = Field(
        default=100,
        ge=1,
        le=MAX_NEW_TOKENS,
        description="Tokens to write per row at most, within the model's positions.",
    )
    do_sample: DoSample = False
    temperature: Temperature = None
    top_p: TopP = None
    seed: Seed = None

    @model_validator(mode="before")
    @classmethod
    def _spread_one_text(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        beside, texts = fields.get(cls.ROWS[0]), fields.get("texts")
        if isinstance(beside, list) and isinstance(texts, list) and len(texts) == 1:
            return {**fields, "texts": texts * len(beside)}
        return fields
