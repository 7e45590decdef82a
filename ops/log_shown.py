"""A line of a log as people read it, and as machines do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..telemetry.logs import as_line
from .log_lines import HEAD, LogLine

#: What a line says it is about, in this order, under these names; the rest follows under its own.
_ABOUT = {
    "model": "model",
    "jobs": "job",
    "run": "run",
    "step": "step",
    "request_id": "request",
    "trace_id": "trace",
    "job_traces": "trace",
}

#: What is shown elsewhere, or tells people nothing.
_ELSEWHERE = frozenset(
    {"time", "level", "logger", "message", "service", "span_id", "exception", "stack"}
)

#: Ids of a list that are shown.
_MOST = 3

#: What a terminal would obey, and what is no text: clients have a say in what a line quotes.
_UNSHOWN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: Before each line but the first: none looks like another service's.
_BELOW = "    "


def for_people(line: LogLine) -> str:
    """Time, part, level, message and what it is about; what it says in more lines, and a traceback,
    indented below. Text stays as it is.
    """
    told = line.told
    if told is None or "message" not in told:
        return line.text
    at = line.at.strftime("%Y-%m-%d %H:%M:%S,%f")[:-3] if line.at else ""
    part = _shown(line.service or str(told.get("logger", "")))
    about = _shown("  ".join(_about(told)))
    first, *below = str(told["message"]).split("\n")
    said = f"{at} {part:14} {line.level.upper():8} {_shown(first)}"
    for name in ("exception", "stack"):
        below += str(told.get(name) or "").split("\n")
    lines = [f"{said}  ({about})" if about else said]
    lines += [f"{_BELOW}{_shown(each)}" for each in below if each]
    return "\n".join(lines).strip()


def for_machines(line: LogLine) -> str:
    """A line as one JSON object: as it was written, with its service; text becomes a message."""
    if line.told is not None:
        told = dict(line.told)
        if line.service:
            told["service"] = line.service
        return as_line(told)
    head = HEAD.match(line.text)
    at = line.at.astimezone().isoformat(timespec="milliseconds") if line.at else None
    service = {"service": line.service} if line.service else {}
    return as_line(
        {"time": at, "level": line.level, "message": head[4] if head else line.text, **service}
    )


def _shown(text: str) -> str:
    return _UNSHOWN.sub(lambda found: ascii(found[0])[1:-1], text)


def _about(told: Mapping[str, Any]) -> Iterator[str]:
    seen = set[str]()
    others = [name for name in told if name not in _ABOUT and name not in _ELSEWHERE]
    for name in (*_ABOUT, *others):
        if (value := told.get(name)) in (None, "", []):
            continue
        values = [str(each) for each in value] if isinstance(value, list) else [str(value)]
        values = [each for each in values if each not in seen]
        seen.update(values if name in _ABOUT else ())
        if values:
            more = f" and {len(values) - _MOST} more" if len(values) > _MOST else ""
            yield f"{_ABOUT.get(name, name)} {', '.join(values[:_MOST])}{more}"
