"""Protobuf messages made from a table instead of generated code.

Numbers and names are a protocol's. A table has each message's fields: name=number, then repeated,
map (from string), enum, or oneof and perhaps what that is called, then the type. Each table has a
pool of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = re.compile(r"(\w+)=(\d+) (?:(repeated|map|enum|oneof(?:\(\w+\))?) )?([\w.]+)")
_Field = descriptor_pb2.FieldDescriptorProto


def message_classes(
    file_name: str,
    package: str,
    messages: Mapping[str, str],
    enums: Mapping[str, Sequence[str]],
) -> dict[str, type[Any]]:
    """Message classes by name; that of a message inside another is `Outer.Inner`, behind Outer."""
    file = descriptor_pb2.FileDescriptorProto(name=file_name, package=package, syntax="proto3")
    table = _Table(package, frozenset(enums))
    made: dict[str, descriptor_pb2.DescriptorProto] = {}
    for name, fields in messages.items():
        outer, _, inner = name.rpartition(".")
        message = made[outer].nested_type.add() if outer else file.message_type.add()
        message.name, made[name] = inner or name, message
        for field, number, kind, of in _FIELD.findall(fields):
            table.add_field(message, name, field, int(number), kind, of)
    for name, values in enums.items():
        outer, _, inner = name.rpartition(".")
        enum = made[outer].enum_type.add() if outer else file.enum_type.add()
        enum.name = inner or name
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in messages
    }


@dataclass(frozen=True, slots=True)
class _Table:
    package: str
    enums: frozenset[str]

    def add_field(
        self,
        message: descriptor_pb2.DescriptorProto,
        owner: str,
        name: str,
        number: int,
        kind: str,
        of: str,
    ) -> None:
        if kind == "map":
            of = self._add_entry(message, owner, name, of)
        field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
        if kind in ("repeated", "map"):
            field.label = _Field.LABEL_REPEATED
        if kind.startswith("oneof"):
            if not message.oneof_decl:
                message.oneof_decl.add(name=kind[6:-1] or "parameter_choice")
            field.oneof_index = 0
        self._set_type(field, of)

    def _add_entry(
        self, message: descriptor_pb2.DescriptorProto, owner: str, name: str, of: str
    ) -> str:
        """A map is a repeated message of key and value."""
        words = (word[:1].upper() + word[1:] for word in name.split("_"))
        entry = message.nested_type.add(name=f"{''.join(words)}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
        self._set_type(entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), of)
        return f"{owner}.{entry.name}"

    def _set_type(self, field: descriptor_pb2.FieldDescriptorProto, of: str) -> None:
        scalar = getattr(_Field, f"TYPE_{of.upper()}", None)
        if scalar is not None:
            field.type = scalar
            return
        field.type = _Field.TYPE_ENUM if of in self.enums else _Field.TYPE_MESSAGE
        field.type_name = f".{self.package}.{of}"
