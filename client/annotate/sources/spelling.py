"""What a source's spelling can say: several files by braces, many by a glob."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from ....protocol.errors import InvalidRequest

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_GLOB = re.compile(r"[*?\[]")
_LANCE = re.compile(r"(?P<folder>.*\.lance)/?(?:@(?P<version>\d+))?", re.IGNORECASE | re.DOTALL)

#: Names that braces stand for, at most: a list of them is in memory.
_MOST_NAMES = 1_000_000


class LancePath(NamedTuple):
    """The folder of a Lance table, and its version; "" for the newest."""

    folder: str
    version: str


def lance_path(path: str) -> LancePath | None:
    """The table that a path names by how it ends; None where it names none."""
    found = _LANCE.fullmatch(path)
    return LancePath(found["folder"], found["version"] or "") if found else None


def has_braces(spec: str) -> bool:
    """Whether there is a choice in braces: `{000..012}`, `{train,test}`."""
    return any(_choices(part) is not None for part in _BRACES.findall(spec))


def expanded(spec: str) -> Iterator[str]:
    """Every spelling, as a shell orders them: `a{0..1}{x,y}` is a0x, a0y, a1x, a1y.

    Raises InvalidRequest for more than anybody can mean.
    """
    parts = _BRACES.split(spec)
    literal, choices, names = parts[::2], list[list[str]](), 1
    for part in parts[1::2]:
        choices.append(_choices(part) or [f"{{{part}}}"])
        names *= len(choices[-1])
        _refuse_many(part, names)
    for chosen in product(*choices):
        yield "".join(a + b for a, b in zip(literal, (*chosen, ""), strict=True))


def _choices(inner: str) -> list[str] | None:
    """What braces stand for; None for braces that are none. Ranges are as wide as their ends."""
    bounds = _RANGE.fullmatch(inner)
    if bounds is None:
        return inner.split(",") if "," in inner else None
    first, last = bounds.groups()
    width = max(len(first), len(last)) if "0" in (first[0], last[0]) else 0
    step = 1 if int(last) >= int(first) else -1
    _refuse_many(inner, abs(int(last) - int(first)) + 1)
    return [f"{number:0{width}d}" for number in range(int(first), int(last) + step, step)]


def is_glob(spec: str) -> bool:
    """Whether it has a glob's characters."""
    return _GLOB.search(spec) is not None


def split_glob(spec: str) -> tuple[str, str]:
    """The folder above a glob's first pattern, and the glob as seen from there."""
    parts = spec.split("/")
    first = next(index for index, part in enumerate(parts) if is_glob(part))
    folder = "/".join(parts[:first])
    return folder or ("/" if first else ""), "/".join(parts[first:])


def _refuse_many(inner: str, names: int) -> None:
    if names > _MOST_NAMES:
        raise InvalidRequest(
            f"source: {{{inner[:40]}}} makes it over {_MOST_NAMES:,} names: use a glob"
        )
