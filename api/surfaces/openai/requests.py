"""What every OpenAI route shares: errors, the fields that mean nothing here, ids."""

from __future__ import annotations

import re
import time
from typing import Any, TypeVar

from fastapi import Request
from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    model_validator,
)

from ....protocol import v2
from ....protocol.errors import InvalidRequest, WherryError
from ....protocol.first_fault import FirstFault, few_fields
from ....tasks.catalog import ModelDeclaration
from ...core.service import Service
from ...http.body import read_document
from ...http.ids import uuid7

#: The field that one of our messages is about.
_PARAM = re.compile(r"([a-z][a-z0-9_.\[\]]*): ")


def error_shape(_: object, status: int, error: WherryError) -> dict[str, object]:
    """An error as OpenAI's clients read it."""
    found = _PARAM.match(error.message)
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {
        "error": {
            "message": error.message,
            "type": kind,
            "param": found[1] if found else None,
            "code": error.code,
        }
    }


class NullIsAbsent(BaseModel):
    """An object of which clients send null for what they have not set: it is as if left out."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return {name: value for name, value in fields.items() if value is not None}


def text_only(value: object) -> object:
    """Refuse tokens in place of texts. For `BeforeValidator`."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, int | list):
        text = "tokens are not taken: their meaning is a model's own; send text"
        raise ValueError(text)  # noqa: TRY004 # pydantic wants a ValueError
    return value


class OpenAIRequest(NullIsAbsent, FirstFault):
    """A request's body. What is about OpenAI's own service is taken and left unread."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    user: Any = None
    metadata: Any = None
    store: Any = None
    service_tier: Any = None
    safety_identifier: Any = None
    prompt_cache_key: Any = None

    _few_fields = model_validator(mode="before")(few_fields)


R = TypeVar("R", bound=OpenAIRequest)


async def read(request: Request, kind: type[R], **fields: object) -> R:
    """A request's JSON body; `fields` replace what it says. Raises InvalidRequest."""
    service = Service.of(request)
    document, _ = await read_document(request, service.settings.max_body_bytes)
    return validated(kind, {**document, **fields})


def validated(kind: type[R], fields: dict[str, object]) -> R:
    """Build a request from its fields. Raises InvalidRequest that names the field."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise InvalidRequest(v2.describe(error)) from None


def model_for(service: Service, name: str, *tasks: str) -> ModelDeclaration:
    """The model of that name, which must do one of the tasks.

    Raises ModelNotFound, and InvalidRequest that names the models which would do.
    """
    model = service.catalog.find(name)
    if model.task in tasks:
        return model
    fit = ", ".join(sorted({m.name for m in service.catalog.models if m.task in tasks}))
    raise InvalidRequest(
        f"model: {name!r} does {model.task}; this path is for {' and '.join(tasks)}: "
        + (fit or "no model here does that")
    )


def new_id(kind: str) -> str:
    """An id as OpenAI's look: a word and a number."""
    return f"{kind}-{uuid7().replace('-', '')}"


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())
