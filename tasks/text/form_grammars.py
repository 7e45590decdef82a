"""Forms as grammars of llguidance's: written here, followed by whoever writes the text.

https://github.com/guidance-ai/llguidance, docs/syntax.md
"""

from __future__ import annotations

import functools
import importlib.util
import json
from typing import Any

from ...protocol.errors import RowError
from .closed_objects import closed
from .structured_outputs import StructuredOutputs

#: How JSON is written: in one line, as models have mostly read it. Space that may grow without end
#: is what weak models fall for.
_JSON = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}

#: Characters of the library's reasons that are passed on.
_SHOWN = 400


def library(field: str) -> Any:
    """The library. Raises RowError where it is not installed."""
    if importlib.util.find_spec("llguidance") is None:
        raise RowError(
            f"{field}: the worker has nothing that follows a form; pip install 'wherry[structured]'"
        )
    import llguidance

    return llguidance


def form_grammar(form: StructuredOutputs, field: str) -> str:
    """A form as the library's grammar. Raises RowError."""
    matcher = library(field).LLMatcher
    grammar: str
    if "regex" in form:
        grammar = matcher.grammar_from_regex(_unanchored(form["regex"]))
    elif "choice" in form:
        grammar = matcher.grammar_from_lark("start: " + " | ".join(map(literal, form["choice"])))
    elif "grammar" in form:
        grammar = matcher.grammar_from_lark(_lark(form["grammar"], field))
    else:
        try:
            grammar = matcher.grammar_from_json_schema(_plain(schema_of(form)), overrides=_JSON)
        except ValueError as error:  # numbers past what the library counts to
            raise RowError(f"{field}: {short(error)}") from None
    return grammar


@functools.lru_cache(maxsize=256)  # a form comes with many requests
def fault_of(grammar: str) -> str:
    """Why a grammar cannot be followed, by whatever model; "" if it can."""
    return short(library("").LLMatcher.validate_grammar(grammar))


def schema_of(form: StructuredOutputs) -> dict[str, Any]:
    """The JSON schema of a form of JSON."""
    return form.get("json") or {"type": "object"}


def json_rule(schema: dict[str, Any]) -> str:
    """A JSON schema as a part of a rule of Lark's; references within it are its own."""
    return "%json " + json.dumps({**_plain(schema), "x-guidance": _JSON}, ensure_ascii=False)


def literal(text: str) -> str:
    """A text as Lark writes it."""
    return json.dumps(text, ensure_ascii=False)


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema as it is meant, without options of the library's own: they are no client's."""
    return closed({name: value for name, value in schema.items() if name != "x-guidance"})


def _unanchored(regex: str) -> str:
    """A regular expression without the anchors at its ends: it is always the whole text."""
    regex = regex.removeprefix("^")
    slashes = len(regex[:-1]) - len(regex[:-1].rstrip("\\"))
    return regex[:-1] if regex.endswith("$") and slashes % 2 == 0 else regex


def _lark(grammar: str, field: str) -> str:
    """A grammar in Lark's words, given one in those or in GBNF."""
    if "::=" not in grammar:
        return grammar
    from llguidance.gbnf_to_lark import any_to_lark

    try:
        written: str = any_to_lark(grammar)
    except Exception as error:  # it has no class of its own
        raise RowError(f"{field}: {short(error)}") from None
    return written


def short(reason: object) -> str:
    """A reason in one line."""
    text = " ".join(str(reason).split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
