"""What Triton's clients may ask the state of and nobody here serves: traces, logs, shared memory.

It is told as off, in Triton's form. What would switch it on is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ...protocol.errors import InvalidRequest

#: Lists of texts over gRPC; over HTTP the level alone is a list.
TRACE_SETTINGS: Mapping[str, Any] = {
    "trace_file": "",
    "trace_level": ["OFF"],
    "trace_rate": "1000",
    "trace_count": "-1",
    "log_frequency": "0",
    "trace_mode": "triton",
}

#: Triton's own log, of which there is none here.
LOG_SETTINGS: Mapping[str, Any] = {
    "log_file": "",
    "log_info": False,
    "log_warning": False,
    "log_error": False,
    "log_verbose_level": 0,
    "log_format": "default",
}

_TRACES = "requests are not traced; jobs tell their times, and /v2/models/{model}/stats their sums"
_LOGS = "the log is the process's own; wherry up --log-level sets how much it says"


def trace_settings(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The trace settings. Raises InvalidRequest where other ones are asked for."""
    return _unchanged(asked, TRACE_SETTINGS, _TRACES)


def log_settings(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The log settings. Raises InvalidRequest where other ones are asked for."""
    return _unchanged(asked, LOG_SETTINGS, _LOGS)


def _unchanged(asked: Mapping[str, Any], known: Mapping[str, Any], why: str) -> Mapping[str, Any]:
    """Triton's clients write all settings back: what is so already may be asked for."""
    for name, value in asked.items():
        if name not in known:
            raise InvalidRequest(f"unknown setting {name[:80]!r}; there are {', '.join(known)}")
        wanted = known[name]
        cleared = value is None or value == []
        if not (cleared or value == wanted or value == [wanted] or [value] == wanted):
            raise InvalidRequest(f"setting {name}: {why}")
    return known


def refuse_memory(name: str) -> NoReturn:
    """Register no region of shared memory. Raises InvalidRequest."""
    raise InvalidRequest(
        f"region {name[:80]!r}: shared memory is not supported; send and take the data itself"
    )


def check_region(name: str) -> None:
    """Refuse to tell of a region, for there is none; "" means all. Raises InvalidRequest."""
    if name:
        raise InvalidRequest(f"no region {name[:80]!r}: shared memory is not supported")
