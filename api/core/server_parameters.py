"""The parameters that are the server's own: how a job waits, runs and answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ...jobs.group import DEFAULT_PRIORITY
from ...protocol import v2
from ...protocol.errors import InvalidRequest
from ...protocol.parameters import (
    BINARY_OUTPUT,
    EXECUTION_TIMEOUT,
    LEAST_TIMEOUT_US,
    ON_ROW_ERROR,
    PRIORITY,
    ROW_ERRORS,
    STREAM,
    TIMEOUT,
    WEBHOOK,
    remarks_on,
)
from ...tasks.base import Task

#: Values that say the same as leaving the parameter out.
DEFAULTS = {
    PRIORITY: (0, DEFAULT_PRIORITY),
    TIMEOUT: (0,),
    ON_ROW_ERROR: ("fail",),
    STREAM: (False,),
}


def kept(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that belong to a job, in order, less those that only say the default.

    The wishes for binary data and for a webhook are about who hears of the answer.
    """
    return {
        name: given[name]
        for name in sorted(given)
        if name not in (BINARY_OUTPUT, WEBHOOK) and given[name] not in DEFAULTS.get(name, ())
    }


def priority(request: v2.InferenceRequest) -> int:
    """1 to 9. Raises InvalidRequest."""
    given = request.parameters.get(PRIORITY, 0)
    if type(given) is not int or not 0 <= given <= 9:
        raise InvalidRequest("parameter priority: 1 (highest) to 9, or 0 for the default")
    return given or DEFAULT_PRIORITY


def start_by_ms(request: v2.InferenceRequest) -> int:
    """By when it must start, in ms since the epoch; 0: whenever. Raises InvalidRequest."""
    given = request.parameters.get(TIMEOUT, 0)
    if type(given) is not int or not 0 <= given <= 10**15:
        raise InvalidRequest("parameter timeout: microseconds until the job must have started")
    return int(time.time() * 1000 + given / 1000) if given >= LEAST_TIMEOUT_US else 0


def execution_timeout_ms(request: v2.InferenceRequest) -> int:
    """Milliseconds that it may run; 0: as long as it takes. Raises InvalidRequest."""
    given = request.parameters.get(EXECUTION_TIMEOUT)
    if given is None:
        return 0
    if type(given) not in (int, float) or not 0 < given <= 10**9:
        raise InvalidRequest(f"parameter {EXECUTION_TIMEOUT}: seconds that it may run, over 0")
    return max(1, int(given * 1000))


def skips(request: v2.InferenceRequest) -> bool:
    """Whether a row at fault is passed over, instead of failing the request."""
    return bool(request.parameters.get(ON_ROW_ERROR) == "skip")


def check_switches(request: v2.InferenceRequest) -> None:
    """Refuse values that a switch has not. Raises InvalidRequest."""
    given = request.parameters.get(ON_ROW_ERROR, "fail")
    if given not in ("fail", "skip"):
        raise InvalidRequest(f"parameter {ON_ROW_ERROR}: use 'fail' or 'skip'")
    if type(request.parameters.get(STREAM, False)) is not bool:
        raise InvalidRequest(f"parameter {STREAM}: use true or false")
    if ROW_ERRORS in request.parameters:
        raise InvalidRequest(f"parameter {ROW_ERRORS}: is the answer's own; leave it out")
    wishes = {BINARY_OUTPUT: request.parameters.get(BINARY_OUTPUT)}
    for output in request.outputs or ():
        wishes[f"binary_data of output {output.name!r}"] = output.parameters.get("binary_data")
    for name, wish in wishes.items():
        if not isinstance(wish, bool | None):  # null is what clients write that write every field
            raise InvalidRequest(f"parameter {name}: use true or false")


def check_names(request: v2.InferenceRequest, task: Task) -> None:
    """Refuse parameters, of the request or a tensor, that nobody reads. Raises InvalidRequest."""
    odd = remarks_on(request, task.input.parameter_names())
    if odd:
        raise InvalidRequest("; ".join(odd))
