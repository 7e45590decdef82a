"""Forms of texts that cannot be followed: refused before they are queued, if that can be told here.

That takes the library that workers follow them with (the extra `structured`), and no model.
"""

from __future__ import annotations

import importlib.util

from pydantic_core import to_json

from ...protocol.errors import InvalidRequest, RowError
from ...tasks.base import TaskInput
from ...tasks.text.form_grammars import fault_of, form_grammar
from ...tasks.text.generation import FormedInput

#: Characters of all grammars of a request that are looked at here: mostly a few milliseconds, of
#: hostile ones half a second. Longer ones are the worker's.
_SHORT = 4096


def are_formed(inputs: TaskInput) -> bool:
    """Whether there is a form to check, which the event loop has no time for."""
    return isinstance(inputs, FormedInput) and bool(inputs.binding())


def check_forms(inputs: TaskInput) -> None:
    """Raise InvalidRequest that names the field."""
    if not isinstance(inputs, FormedInput) or not are_formed(inputs):
        return
    if importlib.util.find_spec("llguidance") is None:
        return
    left = _SHORT
    for field, form in inputs.forms().items():
        if len(to_json(form)) > left:
            return
        try:
            grammar = form_grammar(form, field)
        except RowError as error:
            raise InvalidRequest(error.message) from None
        left -= len(grammar)
        if left >= 0 and (fault := fault_of(grammar)):
            raise InvalidRequest(f"{field}: {fault}")
