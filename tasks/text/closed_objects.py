"""Objects that have what their JSON schema names and no more.

A schema that says nothing of other properties allows any, and a weak model makes them up without
end. Whoever names some properties has meant those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Keywords whose value is a schema, or a list of some, or an object of some.
_ONE = ("additionalItems", "additionalProperties", "contains", "items", "not", "propertyNames")
_LISTED = ("anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")

#: Keywords by which several schemas hold of one object: what one leaves out another may name.
_TOGETHER = frozenset({"$ref", "anyOf", "oneOf"})
_ANYWHERE = frozenset(
    {"allOf", "dependentSchemas", "else", "if", "minProperties", "then", "unevaluatedProperties"}
)


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, its objects closed that name properties and say nothing of others.

    As it is where schemas hold together, or more is required than is named.
    """
    if any(_is_open_on_purpose(part) for part in _parts(schema)):
        return schema
    made: dict[str, Any] = _closed(schema)
    return made


def _is_open_on_purpose(part: dict[str, Any]) -> bool:
    if part.keys() & _ANYWHERE:
        return True
    named = part.get("properties")
    if not isinstance(named, dict):
        return False
    required = part.get("required")
    more = isinstance(required, list) and not {str(each) for each in required} <= named.keys()
    return more or bool(part.keys() & _TOGETHER)


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and those within it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword, value in schema.items():
        for inner in _inner(keyword, value):
            yield from _parts(inner)


def _inner(keyword: str, value: Any) -> list[Any]:
    if keyword in _ONE:
        return value if isinstance(value, list) else [value]
    if keyword in _LISTED and isinstance(value, list):
        return value
    if keyword in _NAMED and isinstance(value, dict):
        return list(value.values())
    return []


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = {keyword: _closed_inner(keyword, value) for keyword, value in schema.items()}
    if isinstance(made.get("properties"), dict) and "patternProperties" not in made:
        made.setdefault("additionalProperties", False)
    return made


def _closed_inner(keyword: str, value: Any) -> Any:
    if keyword in _NAMED and isinstance(value, dict):
        return {name: _closed(part) for name, part in value.items()}
    if keyword in (*_LISTED, *_ONE) and isinstance(value, list):
        return [_closed(part) for part in value]
    return _closed(value) if keyword in _ONE else value
