"""Forms of texts that cannot be followed: refused before they are queued, if that can be told here.

That takes the library that workers follow them with (the extra `structured`), and no model.
"""

from __future__ import annotations

import importlib.util

from ...protocol.errors import InvalidRequest, RowError
from ...tasks.base import TaskInput
from ...tasks.text.form_grammars import fault_of, form_grammar
from ...tasks.text.generation import FormedInput

#: Characters of a grammar that is looked at here: a few milliseconds. Longer ones are the worker's.
_SHORT = 4096


def check_forms(inputs: TaskInput) -> None:
    """Raise InvalidRequest that names the field."""
    if not isinstance(inputs, FormedInput) or not inputs.binding():
        return
    if importlib.util.find_spec("llguidance") is None:
        return
    for field, form in inputs.forms().items():
        try:
            grammar = form_grammar(form, field)
        except RowError as error:
            raise InvalidRequest(error.message) from None
        if len(grammar) <= _SHORT and (fault := fault_of(grammar)):
            raise InvalidRequest(f"{field}: {fault}")
