"""Whether values of parameters are of the types that a backend's class says: it fails late else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .fault import Fault

#: What an annotation's word takes of TOML, and how to say so. A bool is no number here.
_TAKES: dict[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "float": ((int, float), "a number"),
    "int": ((int,), "a whole number"),
    "str": ((str,), "a string"),
}


def type_faults(
    parameters: Mapping[str, Any], annotations: Mapping[str, Collection[str]]
) -> Iterator[Fault]:
    """A fault for each value that none of its name's annotations takes; odd ones take anything."""
    for name, value in parameters.items():
        words = {
            word.strip()
            for annotation in annotations.get(name, ())
            for word in annotation.split("|")
        } - {"None"}
        if words and words <= _TAKES.keys() and not any(_fits(value, word) for word in words):
            told = " or ".join(_TAKES[word][1] for word in sorted(words))
            yield Fault(f"parameters: {name} {value!r}: use {told}")


def _fits(value: object, word: str) -> bool:
    types, _ = _TAKES[word]
    return isinstance(value, types) and (word == "bool" or not isinstance(value, bool))
