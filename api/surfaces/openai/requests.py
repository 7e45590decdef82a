"""What every OpenAI route shares: errors, the fields that mean nothing here, ids."""

from __future__ import annotations

import re
import time
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ConfigDict, model_validator

from .... import __version__
from ....protocol.errors import WherryError
from ....protocol.first_fault import FirstFault, few_fields
from ...core.fitting import model_for as model_for
from ...core.service import Service
from ...http.body import read_document
from ...http.documents import NullIsAbsent as NullIsAbsent
from ...http.documents import validated as validated
from ...http.ids import uuid7

#: What answers say of the system that made them: with another one, seeds may draw other texts.
FINGERPRINT = f"wherry_{__version__}"

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


def new_id(kind: str) -> str:
    """An id as OpenAI's look: a word and a number."""
    return f"{kind}-{uuid7().replace('-', '')}"


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())
