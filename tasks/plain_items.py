"""Items as plain values: what their tensors hold, where there is nothing more to them.

To make a model of each item takes most of the time of reading answers, and whoever only writes
them down again needs none.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pydantic import BaseModel

from ..protocol import v2
from .base import TaskOutput
from .items import ItemsOutput
from .tensors import TensorSpec, unpadded

#: Types whose own values a model takes as they are.
_PLAIN = frozenset({bool, float, int, str})

#: Fields that name an item.
_NAMES = ("label", "entity")

#: What may be asked of a model without a value being looked at.
_HARMLESS = frozenset({"frozen"})

#: A row's items: of each of their fields, in order, its values. Those of a field that is a model
#: are lists of its fields' values.
PlainItems = tuple[Sequence[Any], ...]


@dataclass(frozen=True, slots=True)
class PlainForm:
    """How a task's items are told in plain values."""

    #: The items' fields in their order, each with its tensor and its type; of a field that is a
    #: model the type of its own fields, with their names.
    names: tuple[str, ...]
    specs: tuple[TensorSpec, ...]
    #: What the tensors' datatypes are called: an enum is slow to say so.
    datatypes: tuple[str, ...]
    kinds: tuple[type, ...]
    inner: tuple[tuple[str, ...], ...]
    #: The fields in the order in which their tensors are sent.
    sent: tuple[int, ...]
    #: Those that name an item, of which the first that is not empty does; and its score.
    named: tuple[int, ...]
    scored: int | None

    def columns(self, response: v2.InferenceResponse) -> list[list[Sequence[Any]]] | None:
        """Of each field its values, [n][m]; None unless models would have these very values.

        Raises InvalidRequest for a tensor that does not fit.
        """
        if {tensor.name for tensor in response.outputs} != set(self.names):
            return None
        columns: list[list[Sequence[Any]]] = []
        for spec, kind, inner in zip(self.specs, self.kinds, self.inner, strict=True):
            column: list[Sequence[Any]] = [
                *unpadded(response.output(spec.name), width=max(1, len(inner)))
            ]
            values = chain.from_iterable(column)
            found = set(map(type, chain.from_iterable(values) if inner else values))
            if not found <= {kind}:
                return None
            columns.append(column)
        lengths = [list(map(len, column)) for column in columns]
        return columns if all(each == lengths[0] for each in lengths) else None

    def labels(self, items: PlainItems) -> Sequence[str]:
        """What each of a row's items is called; "" where it says nothing."""
        named = [items[at] for at in self.named]
        if len(named) == 1:
            return named[0]
        return [""] * len(items[0]) if not named else list(map(_first, *named))

    def scores(self, items: PlainItems) -> Sequence[float]:
        """How sure each of a row's items is; NaN where it says nothing."""
        if self.scored is None:
            return [math.nan] * len(items[0])
        return items[self.scored]

    def tensors(self, items: PlainItems) -> list[dict[str, Any]]:
        """One row as the API tells it: a tensor a field."""
        told = []
        for at in self.sent:
            name, values, inner = self.specs[at].name, items[at], self.inner[at]
            shape = [1, len(values), len(inner)] if inner else [1, len(values)]
            data = [value for entry in values for value in entry] if inner else values
            datatype = self.datatypes[at]
            told.append({"name": name, "shape": shape, "datatype": datatype, "data": [data]})
        return told


@functools.cache
def form_of(output: type[TaskOutput]) -> PlainForm | None:
    """How a task's answers are told in plain values; None for those that are more than that."""
    if not issubclass(output, ItemsOutput) or not _is_read_as_items(output):
        return None
    fields = {name: field.annotation for name, field in output.model_fields.items()}
    specs = {spec.name: spec for spec in output.TENSORS}
    item: Any = output.ITEM
    if _looks_closer(output) or _looks_closer(item) or item.__private_attributes__:
        return None
    if fields != {output.ROWS[0]: list[list[item]]} or specs.keys() != item.model_fields.keys():
        return None
    kinds, inner = dict[str, type](), dict[str, tuple[str, ...]]()
    for name, field in item.model_fields.items():
        found = _kinds(field.annotation)
        if field.metadata or specs[name].is_file or not found:
            return None
        (kinds[name], *others), inner[name] = set(found.values()), tuple(filter(None, found))
        if others or len(specs[name].shape) != (3 if inner[name] else 2):
            return None
    return PlainForm(
        names=tuple(kinds),
        specs=tuple(specs[name] for name in kinds),
        datatypes=tuple(specs[name].datatype.value for name in kinds),
        kinds=tuple(kinds.values()),
        inner=tuple(inner.values()),
        sent=tuple(list(kinds).index(name) for name in specs),
        named=tuple(at for at, name in enumerate(kinds) if name in _NAMES and kinds[name] is str),
        scored=list(kinds).index("score") if kinds.get("score") is float else None,
    )


def _is_read_as_items(output: type[ItemsOutput]) -> bool:
    """Whether a task's answers are read and written as those of all such tasks are."""
    names = ("rows", "to_inference_response", "from_inference_response")
    own, shared = ([getattr(kind, name) for name in names] for kind in (output, ItemsOutput))
    return all(
        getattr(a, "__func__", a) is getattr(b, "__func__", b)
        for a, b in zip(own, shared, strict=True)
    )


def _first(*names: str) -> str:
    return next(filter(None, names), "")


def _kinds(kind: Any) -> Mapping[str, type]:
    """The types of a model's fields by their names, of a plain type itself by ""; {} for others."""
    if kind in _PLAIN:
        return {"": kind}
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)) or _looks_closer(kind):
        return {}
    told = {name: field.annotation for name, field in kind.model_fields.items()}
    is_more = kind.__private_attributes__ or any(f.metadata for f in kind.model_fields.values())
    return {} if is_more or not set(told.values()) <= _PLAIN else dict(told)  # type: ignore[arg-type] # plain types


def _looks_closer(model: type[BaseModel]) -> bool:
    """Whether a model asks more of values than their types, or does something with them."""
    asked = model.__pydantic_decorators__
    validators = (
        asked.validators
        or asked.field_validators
        or asked.root_validators
        or asked.model_validators
    )
    is_own = model.__init__ is not BaseModel.__init__ or not model.model_config.keys() <= _HARMLESS
    return bool(validators) or is_own
