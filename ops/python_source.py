"""A value as the Python that makes it."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from ..tasks import samples

_WIDTH = 88

#: Files of the examples, by what they hold.
_NAMED = {value: name for name, value in vars(samples).items() if isinstance(value, bytes)}


def source_of(value: BaseModel, name: str) -> list[str]:
    """Lines of a program that makes `value` and calls it `name`; only what was set is written."""
    imports: dict[str, set[str]] = {}
    made = _source(value, imports, 0)
    lines = [
        f"from {module} import {', '.join(sorted(names))}"
        for module, names in sorted(imports.items())
    ]
    return [*lines, "", *f"{name} = {made}".splitlines()]


def _source(value: Any, imports: dict[str, set[str]], indent: int) -> str:
    if isinstance(value, BaseModel):
        cls = type(value)
        imports.setdefault(cls.__module__, set()).add(cls.__name__)
        fields = [name for name in cls.model_fields if name in value.model_fields_set]
        made = [f"{n}={_source(getattr(value, n), imports, indent + 4)}" for n in fields]
        return _block(f"{cls.__name__}(", made, ")", indent)
    if isinstance(value, bytes) and value in _NAMED:
        imports.setdefault(samples.__name__, set()).add(_NAMED[value])
        return _NAMED[value]
    if value == b"":
        return 'b""'  # in the quotes that formatters choose
    if isinstance(value, dict):
        made = [
            f"{_source(k, imports, 0)}: {_source(v, imports, indent + 4)}" for k, v in value.items()
        ]
        return _block("{", made, "}", indent)
    if isinstance(value, list):
        return _block("[", [_source(v, imports, indent + 4) for v in value], "]", indent)
    if isinstance(value, tuple):
        made = [_source(v, imports, indent + 4) for v in value]
        return _block("(", [*made, ""] if len(made) == 1 else made, ")", indent)
    # JSON's strings are Python's too, in those quotes.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _block(opening: str, parts: list[str], closing: str, indent: int) -> str:
    line = opening + ", ".join(parts).rstrip(" ") + closing
    if "\n" not in line and len(line) + indent <= _WIDTH:
        return line
    body = "".join(f"{' ' * (indent + 4)}{part},\n" for part in parts if part)
    return f"{opening}\n{body}{' ' * indent}{closing}"
