"""What both protocols' requests share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from ....protocol.errors import InvalidRequest
from ....protocol.first_fault import FirstFault, few_fields
from ....tasks.catalog import ModelDeclaration
from ...core.fitting import model_for, only_model
from ...core.service import Service
from ...http.body import read_document
from ...http.documents import NullIsAbsent

#: What clients name that were told no model.
_NO_MODELS = ("", "default/not-specified")


def _small(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


#: An end of a text; some write Left and Right.
Side = Annotated[Literal["left", "right"], BeforeValidator(_small)]

Texts = Annotated[list[str], Field(min_length=1, max_length=10_000)]


class RetrievalRequest(NullIsAbsent, FirstFault):
    """A request's body. What would change the answer, and is not heeded, is refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = ""
    user: Any = None

    _few_fields = model_validator(mode="before")(few_fields)


async def read(request: Request) -> dict[str, Any]:
    """A request's JSON object. Raises InvalidRequest."""
    document, _ = await read_document(request, Service.of(request).settings.max_body_bytes)
    return document


def model_of(request: Request, named: str, *tasks: str) -> ModelDeclaration:
    """The model: of the path, else of the body, else the only one that does such a task.

    Raises ModelNotFound, InvalidRequest that names the models which would do.
    """
    service = Service.of(request)
    name = request.path_params.get("model") or named
    if name in _NO_MODELS:
        try:
            return only_model(service, *tasks)
        except InvalidRequest as error:
            raise InvalidRequest(f"{error.message}; or ask below /models/<name>") from None
    return model_for(service, name, *tasks)
