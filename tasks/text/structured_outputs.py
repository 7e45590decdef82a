"""What form a generated text must have: JSON, a regular expression, one of some texts, a grammar.

The parameter is vLLM's `structured_outputs`. Here is what can be told without the library that
follows such a form; whoever writes the text compiles it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from decimal import Decimal
from json import JSONDecoder
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import to_json
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

#: Bytes of a form, as JSON.
MAX_BYTES = 65_536

#: Objects and lists within each other.
MAX_DEPTH = 64

#: The digits of all `multipleOf` of a form, as whole numbers: compiled, a number of a million takes
#: half a minute, and the library's limits do not hold it.
MAX_MULTIPLES = 50_000

#: The kinds of form, of which one is given.
KINDS = ("json", "json_object", "regex", "choice", "grammar")


class StructuredOutputs(TypedDict, total=False):
    """One kind of form."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc] # pydantic's way

    json: dict[str, Any]
    json_object: bool
    regex: Annotated[str, Field(min_length=1)]
    choice: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    grammar: Annotated[str, Field(min_length=1)]


def check_form(form: StructuredOutputs) -> StructuredOutputs:
    """The form, if it is one that may be compiled. Raises ValueError."""
    given = [name for name in KINDS if form.get(name) not in (None, False)]
    if len(given) != 1:
        raise ValueError(f"give one of {', '.join(KINDS)}; got {' and '.join(given) or 'none'}")
    if len(form.get("choice", ())) != len(set(form.get("choice", ()))):
        raise ValueError("choice: the same text twice")
    check_size(form)
    for schema in _schemas_of(form.get("grammar", "")):
        check_size(schema)
    return {given[0]: form[given[0]]}  # type: ignore[misc] # one of its own keys


def check_size(value: object) -> None:
    """Raise ValueError for what is too large or too deep to be compiled."""
    if _depth(value) > MAX_DEPTH:
        raise ValueError(f"objects and lists within each other: {MAX_DEPTH} at most")
    if (size := len(to_json(value))) > MAX_BYTES:
        raise ValueError(f"{size} bytes as JSON; {MAX_BYTES} at most")

    multiples = sum(
        _digits(part["multipleOf"])
        for part, _ in _parts(value)
        if isinstance(part, dict) and "multipleOf" in part
    )
    if multiples > MAX_MULTIPLES:
        raise ValueError(f"multipleOf: {MAX_MULTIPLES} at most, all of them together")


def _depth(value: object) -> int:
    return max((depth for _, depth in _parts(value)), default=0)


def _parts(value: object) -> Iterator[tuple[object, int]]:
    """The objects and lists within it, and how deep, without recursion: the depth is a client's."""
    left = [(value, 1)]
    while left:
        part, depth = left.pop()
        if isinstance(part, dict | list):
            yield part, depth
            inner = part.values() if isinstance(part, dict) else part
            left += [(each, depth + 1) for each in inner]


def _digits(number: object) -> int:
    """A number without its point: 0.25 is 25."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return 0
    if isinstance(number, int):
        return abs(number)
    if not math.isfinite(number):
        return 0
    digits, exponent = Decimal(str(number)).as_tuple()[1:]
    whole = int("".join(map(str, digits)))
    return whole * int(10 ** max(int(exponent), 0))


def _schemas_of(grammar: str) -> Iterator[object]:
    """The JSON schemas in a grammar of Lark's."""
    for rest in grammar.split("%json")[1:]:
        with contextlib.suppress(ValueError, RecursionError):  # the library's to refuse
            yield JSONDecoder().raw_decode(rest.lstrip())[0]


Form = Annotated[StructuredOutputs, AfterValidator(check_form)]
