"""What `wherry up` says as JSON, one object a line, for whatever collects a container's output."""

from __future__ import annotations

import io
from typing import IO, Any

from pydantic_core import from_json, to_json
from rich.console import Console

from ..jobs.settings import SettingsError, from_environment
from ..telemetry import logs
from ..telemetry.settings import TelemetrySettings

#: What says the lines that are no service's.
_OURS = "wherry.up"


class JsonLog(io.StringIO):
    """A stream whose lines become objects. Services' own stay as they are, and are named."""

    def __init__(self, to: IO[str]) -> None:
        super().__init__()
        self._to, self._rest = to, ""

    def write(self, text: str) -> int:
        """Take what is printed."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._put(logs.line("info", _OURS, line.strip()))
        return len(text)

    def say(self, service: str, line: str) -> None:
        """Write a service's line."""
        told = object_of(line)
        if told is None:
            self._put(logs.line("info", service, line, service=service))
        else:
            self._put(to_json({**told, "service": service}).decode())

    def _put(self, line: str) -> None:
        self._to.write(f"{line}\n")
        self._to.flush()


def object_of(line: str) -> dict[str, Any] | None:  # whatever JSON has
    """A line of a log as its object; None for text."""
    if not line.startswith("{"):
        return None
    try:
        told = from_json(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) and "message" in told else None


def console() -> Console:
    """Where `wherry up` says what it does, as the settings want it."""
    plain = Console(soft_wrap=True, highlight=False)
    try:
        is_text = from_environment(TelemetrySettings).log_format != "json"
    except SettingsError:  # which the stack says when it starts
        is_text = True
    if is_text:
        return plain
    # Rich writes to what has a stream's methods; a width would cut lines.
    return Console(file=JsonLog(plain.file), soft_wrap=True, highlight=False)
