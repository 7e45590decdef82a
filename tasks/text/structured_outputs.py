"""What form a generated text must have: JSON, a regular expression, one of some texts, a grammar.

The parameter is vLLM's `structured_outputs`. Here is what can be told without the library that
follows such a form; whoever writes the text compiles it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import to_json
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

#: Bytes of a form, as JSON.
MAX_BYTES = 65_536

#: Objects and lists within each other.
MAX_DEPTH = 64

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
    return {given[0]: form[given[0]]}  # type: ignore[misc] # one of its own keys


def check_size(value: object) -> None:
    """Raise ValueError for what is too large or too deep to be compiled."""
    if _depth(value) > MAX_DEPTH:
        raise ValueError(f"objects and lists within each other: {MAX_DEPTH} at most")
    if (size := len(to_json(value))) > MAX_BYTES:
        raise ValueError(f"{size} bytes as JSON; {MAX_BYTES} at most")


def _depth(value: object) -> int:
    """How deep it is, without recursion: the depth is a client's."""
    deepest, left = 0, [(value, 1)]
    while left:
        part, depth = left.pop()
        if isinstance(part, dict | list):
            deepest = max(deepest, depth)
            inner = part.values() if isinstance(part, dict) else part
            left += [(each, depth + 1) for each in inner]
    return deepest


Form = Annotated[StructuredOutputs, AfterValidator(check_form)]
