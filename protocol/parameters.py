"""Request parameters: the server's own, and what to say of those that nobody reads."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .v2 import CONTENT_TYPE

PRIORITY, TIMEOUT, ON_ROW_ERROR = "priority", "timeout", "on_row_error"

#: Seconds that an attempt may run; Triton's `timeout` is about the time to start.
EXECUTION_TIMEOUT = "execution_timeout_s"

#: The wish for all outputs in binary: about one answer, not about the work.
BINARY_OUTPUT = "binary_data_output"

#: The wish to hear tokens while they are made, where the model makes some.
STREAM = "stream"

#: The wish for a call at the job's end: about who hears of it, not about the work.
WEBHOOK = "webhook"

#: What any task may be sent. The content type of a whole request is MLServer's hint.
SERVER_PARAMETERS = frozenset(
    {
        PRIORITY,
        TIMEOUT,
        EXECUTION_TIMEOUT,
        ON_ROW_ERROR,
        STREAM,
        WEBHOOK,
        BINARY_OUTPUT,
        CONTENT_TYPE,
    }
)

#: Response parameter that says what of a request was not understood.
WARNING = "warning"

#: Parameters remarked on, and characters shown of each: an answer must not grow with nonsense.
_MOST, _SHOWN = 8, 60


def remarks(given: Iterable[str], known: Iterable[str]) -> list[str]:
    """A remark on each parameter that neither the server nor the task, which knows `known`, reads.

    It suggests the nearest name there is.
    """
    names = SERVER_PARAMETERS.union(known)
    odd = [name[:_SHOWN] for name in given if name not in names]
    return [_remark(name, names) for name in odd[:_MOST]]


def _remark(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=1)
    return f"unknown parameter {name!r}" + (f", did you mean {near[0]!r}?" if near else "")
