"""Lines of a log: of `wherry up`'s, or of a process that logs JSON, with their time and level."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

#: Levels by how grave they are.
LEVELS = ("debug", "info", "warning", "error", "critical")

#: Seconds between two looks for new lines.
_LOOK_S = 0.2

#: What `LogView` writes before a service's own words.
HEAD = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) (\S+) +(.*)", re.DOTALL)

#: How each kind of service says a level: Celery, uvicorn, Flower; then Redis, by a sign.
_WORD = re.compile(r"^\[[^\]]*?: (\w+)/|^(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b|^\[([DIWEC]) \d")
_SIGN = re.compile(r"^\d+:[A-Z] \d\d \w{3} \d{4} \S+ ([.*#-]) ")
_LETTERS = {name[0].upper(): name for name in LEVELS}
_SIGNS = {".": "debug", "-": "debug", "*": "info", "#": "warning"}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line."""

    #: In local time; None where the line does not say.
    at: datetime | None
    #: "" in a log of one process.
    service: str
    level: str
    #: The line as it was found.
    text: str
    #: What it says, where it is JSON.
    told: Mapping[str, Any] | None = None

    @property
    def gravity(self) -> int:
        """The place of its level."""
        return LEVELS.index(self.level)


class LevelReader:
    """Tells lines' levels; what goes on in the next, as a traceback does, has that of the first."""

    def __init__(self) -> None:
        self._last: dict[str, LogLine] = {}

    def read(self, text: str) -> LogLine:
        """A line of either kind of log."""
        head = HEAD.match(text)
        service, said = (head[3], head[4]) if head else ("", text)
        at = _time(f"{head[1]}.{head[2]}") if head else None
        before = self._last.get(service)
        level = _level_of(said)
        told = _told(said) if said.startswith("{") else None
        if told:
            level = level or _known(str(told.get("level", "")))
            at = at or _time(str(told.get("time", "")))
        if at is None and before is not None:
            at = before.at
        service = service or str(told.get("service", "") if told else "")
        line = LogLine(at, service, level or (before.level if before else "info"), text, told)
        self._last[service] = line
        return line


def _level_of(said: str) -> str:
    if found := _WORD.match(said):
        word = found[1] or found[2] or _LETTERS[found[3]]
        return _known(word)
    return _SIGNS[sign[1]] if (sign := _SIGN.match(said)) else ""


def _known(word: str) -> str:
    word = {"WARN": "warning", "FATAL": "critical"}.get(word.upper(), word.lower())
    return word if word in LEVELS else ""


def _told(said: str) -> dict[str, Any] | None:  # whatever JSON has
    try:
        told = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone().replace(tzinfo=None) if at.tzinfo else at
    except (ValueError, OverflowError):
        return None


def kept(path: Path) -> Iterator[str]:
    """The lines of a log, those of the file before it first. Raises OSError."""
    for each in (path.with_name(f"{path.name}.1"), path):
        if each == path or each.exists():
            with each.open(encoding="utf-8", errors="replace") as file:
                yield from _whole(file)


def added(path: Path, halt: threading.Event) -> Iterator[str]:
    """The lines that a log gets from now on, also when it begins a new file, until `halt`."""
    file: IO[str] = path.open(encoding="utf-8", errors="replace")
    try:
        file.seek(0, os.SEEK_END)
        rest = ""
        while not halt.is_set():
            if piece := file.readline():
                rest += piece
                if rest.endswith("\n"):
                    yield rest.removesuffix("\n")
                    rest = ""
            elif _is_another(path, file):
                yield from _whole(file)  # what came between the two looks
                file.close()
                file, rest = path.open(encoding="utf-8", errors="replace"), ""
            else:
                halt.wait(_LOOK_S)
    finally:
        file.close()


def _is_another(path: Path, file: IO[str]) -> bool:
    try:
        now = path.stat()
    except OSError:
        return False  # between two files
    then = os.fstat(file.fileno())
    return (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino) or now.st_size < file.tell()


def _whole(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line.rstrip("\n")
