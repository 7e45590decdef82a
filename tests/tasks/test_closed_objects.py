"""Which objects of a schema are closed, and which stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.tasks.text.closed_objects import closed

A: dict[str, Any] = {"properties": {"a": {"type": "integer"}}}
CLOSED_A = {**A, "additionalProperties": False}

CLOSED = [
    (A, CLOSED_A),
    ({"properties": {}}, {"properties": {}, "additionalProperties": False}),
    ({"type": "array", "items": A}, {"type": "array", "items": CLOSED_A}),
    ({"anyOf": [A, {"type": "null"}]}, {"anyOf": [CLOSED_A, {"type": "null"}]}),
    ({"$ref": "#/$defs/a", "$defs": {"a": A}}, {"$ref": "#/$defs/a", "$defs": {"a": CLOSED_A}}),
    ({"additionalProperties": A}, {"additionalProperties": CLOSED_A}),
    # A property of that name, and a value that looks like a schema, are no schemas.
    (
        {"properties": {"properties": {"const": A}}},
        {"properties": {"properties": {"const": A}}, "additionalProperties": False},
    ),
]

OPEN: list[dict[str, Any]] = [
    {"type": "object"},
    {**A, "additionalProperties": True},
    {**A, "additionalProperties": {"type": "string"}},
    {**A, "patternProperties": {"^x": {"type": "integer"}}},
    {**A, "required": ["b"]},
    {**A, "minProperties": 2},
    {"allOf": [A, {"properties": {"b": {}}}]},
    {"properties": {"c": A}, "anyOf": [A]},
    {**A, "$ref": "#/$defs/b", "$defs": {"b": A}},
    {"enum": [A]},
]


@pytest.mark.parametrize(("schema", "expected"), CLOSED)
def test_objects_that_name_properties_have_no_others(
    schema: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert closed(schema) == expected


@pytest.mark.parametrize("schema", OPEN)
def test_what_says_more_stays_as_it_is(schema: dict[str, Any]) -> None:
    assert closed(schema) == schema
