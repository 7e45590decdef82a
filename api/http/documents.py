"""JSON objects that say what they may hold, as other systems' clients send them."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, model_validator

from ...protocol import v2
from ...protocol.errors import InvalidRequest

R = TypeVar("R", bound=BaseModel)


class NullIsAbsent(BaseModel):
    """An object of which clients send null for what they have not set: it is as if left out."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return {name: value for name, value in fields.items() if value is not None}


def validated(kind: type[R], fields: dict[str, object]) -> R:
    """Build a request from its fields. Raises InvalidRequest that names the field."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise InvalidRequest(v2.describe(error, kind)) from None


def text_only(value: object) -> object:
    """Raise ValueError for tokens in place of texts. For `BeforeValidator`."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, int | list):
        text = (
            "tokens are not taken: their meaning is a tokenizer's own, and a client's is often "
            "another than the model's; send text (LangChain: check_embedding_ctx_length=False)"
        )
        raise ValueError(text)  # noqa: TRY004 # pydantic wants a ValueError
    return value
