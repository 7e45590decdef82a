"""How long files and batches stay: as the client says, in OpenAI's words, else the operator."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from .....jobs.batches import BatchError, BatchSpec
from .....protocol import v2
from .....protocol.errors import InvalidRequest
from .....protocol.first_fault import FirstFault, few_fields
from ....settings import ApiSettings

_FIELD = "expires_after"


class ExpiresAfter(FirstFault):
    """When a file goes: some seconds after it was made, an hour to thirty days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=2_592_000)

    _few_fields = model_validator(mode="before")(few_fields)


def asked_in_form(fields: Mapping[str, str]) -> int | None:
    """The seconds that a form's `expires_after[...]` fields ask for. Raises InvalidRequest."""
    given = {
        name.removeprefix(_FIELD).strip("[]"): text
        for name, text in fields.items()
        if name.startswith(_FIELD)
    }
    if not given:
        return None
    try:
        return ExpiresAfter.model_validate(given).seconds
    except ValidationError as error:
        raise InvalidRequest(f"{_FIELD}.{v2.describe(error)}") from None


def expires_at(made_at: int, asked_s: int | None, settings: ApiSettings) -> int | None:
    """When a file made then goes, in seconds since the epoch; None if it stays."""
    seconds = asked_s or settings.files_ttl_s
    return made_at + seconds if seconds else None


def record_kept_s(asked: BatchSpec, settings: ApiSettings) -> int:
    """Seconds that a batch stays once it has ended, no less than its output; 0 for ever."""
    return settings.files_ttl_s and max(settings.files_ttl_s, asked.output_kept_s or 0)


def input_gone(asked: BatchSpec) -> BatchError:
    """Why a batch cannot begin without its input."""
    at = asked.input_expires_at
    if at is None or at > time.time():
        return BatchError(
            code="file_gone", message=f"the input file {asked.input_file_id!r} was deleted"
        )
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return BatchError(
        code="file_expired",
        message=f"the input file {asked.input_file_id!r} expired at {when}, before the batch began",
    )
