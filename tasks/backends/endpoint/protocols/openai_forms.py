"""Whether a text has the form that was asked for: some servers take the words and leave them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema, from_json

from ....base import TaskInput
from ....text.chat import ChatInput
from ....text.generation import FormedInput
from ....text.tool_use import ToolCall
from ..faults import BrokenError

#: Of a regular expression: what engines read each in their own way.
_AMBIGUOUS = re.compile(r"\\[<>]|\\b\{|&&|--|~~|\[[^\]]*\[")

#: Half of a pair of UTF-16, which JSON may have and no text.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")

#: Of a choice of the server's whose calls were to be certain, and that was cut before any.
CUT_BEFORE_ITS_CALL = "the endpoint called no tool within max_new_tokens"


def check_form(row: TaskInput, text: str, *, cut: bool) -> None:
    """Raise BrokenError for a text that plainly has another form, or whose beginning has."""
    form = row.structured_outputs if isinstance(row, FormedInput) else None
    cut = cut or bool(getattr(row, "stop", None))  # one that may stand within the form
    if form is None or (cut and not text):
        return
    if "choice" in form and not _is_of(form["choice"], text, cut=cut):
        raise BrokenError("structured_outputs: the endpoint wrote none of the choices")
    if "regex" in form and not cut and not _matches(form["regex"], text):
        raise BrokenError("structured_outputs: the endpoint wrote no match of regex")
    if form.keys() & {"json", "json_object"}:
        _check_json(text, cut=cut)


def check_calls(row: TaskInput, calls: Sequence[ToolCall], *, cut: bool) -> None:
    """Raise BrokenError where calls were to be certain, and there are none, or others."""
    if not isinstance(row, ChatInput) or not row.calls_are_certain:
        return
    if not calls and not cut:
        raise BrokenError("tool_choice: the endpoint called no tool")
    choice = row.tool_choice
    names = {choice["function"]["name"]} if isinstance(choice, dict) else _names(row)
    for call in calls:
        if call["function"]["name"] not in names:
            raise BrokenError("tool_choice: the endpoint called another tool")


def _check_json(text: str, *, cut: bool) -> None:
    try:
        from_json(text, allow_partial=cut)
    except ValueError as error:
        if not _HALF.search(text) and "recursion limit" not in str(error):
            raise BrokenError("structured_outputs: the endpoint wrote no JSON") from None


def _names(row: ChatInput) -> set[str]:
    return {tool["function"]["name"] for tool in row.called}


def _is_of(choices: Sequence[str], text: str, *, cut: bool) -> bool:
    return any(choice.startswith(text) if cut else choice == text for choice in choices)


def _matches(regex: str, text: str) -> bool:
    """Whether all of a text matches, by an engine whose time grows with the text alone; one that it
    does not know, or may know otherwise, is the server's business. To some of them a dot is the end
    of a line, too.
    """
    if _AMBIGUOUS.search(regex):
        return True
    schema = core_schema.str_schema(pattern=f"^(?s:{regex})$", regex_engine="rust-regex")
    try:
        SchemaValidator(schema).validate_python(text)
    except SchemaError:
        return True
    except ValidationError:
        return False
    return True
