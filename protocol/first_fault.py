"""Models for what comes from outside: the first fault ends their validation."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema

#: Fields that an object may have where unknown ones are refused: each takes an error of its own.
MAX_FIELDS = 200

_MANY = ("dict", "frozenset", "list", "set", "tuple")


def _stop_early(schema: object) -> None:
    if isinstance(schema, dict):
        if schema.get("type") in _MANY:
            schema["fail_fast"] = True
        for part in schema.values():
            _stop_early(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            _stop_early(part)


class FirstFault(BaseModel):
    """A model whose lists and objects stop at their first wrong entry.

    Pydantic would go on and keep 3 KB for each: a body of 5 MB can hold half a million.
    """

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler, /
    ) -> CoreSchema:
        """Pydantic's own schema, every list in it told to stop."""
        schema = handler(source)
        _stop_early(schema)
        return schema


def few_fields(fields: Any) -> Any:
    """Refuse an object of too many fields, before each is. For `model_validator(mode="before")`."""
    if isinstance(fields, dict) and len(fields) > MAX_FIELDS:
        raise ValueError(f"{len(fields)} fields; at most {MAX_FIELDS} are looked at")
    return fields
