"""The trial in a process of its own, started again without what it died of."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any

from .candidates import Contender
from .trial import EXPORT, TIMING, TrialPlan
from .verdict import Tried

log = logging.getLogger(__name__)

#: Seconds beyond its budget after which a trial that still runs hangs: it looks at its clock
#: between two steps only.
_GRACE_S = 30.0

#: Bytes of what a trial printed last that are kept, to say what it died of.
_TAIL = 2000


@dataclass(slots=True)
class TrialLog:
    """What a trial has said so far."""

    candidates: Sequence[Contender]
    trying: str = ""
    #: What makes all further trying useless; "" for nothing.
    stopped: str = ""
    is_done: bool = False
    #: Whether there was more to try than time.
    is_late: bool = False
    refused: dict[str, str] = field(default_factory=dict)
    alike: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    rates: dict[str, dict[int, float]] = field(default_factory=dict)

    def heed(self, event: Mapping[str, Any]) -> None:
        """Take note of a line that the trial wrote."""
        match event:
            case {"trying": str(what)}:
                self.trying = what
            case {"alike": str(name)}:
                self.alike[name] = event
            case {"refused": str(name), "why": str(why)}:
                self.refused[name] = why
                self.alike[name] = {**self.alike.get(name, {}), **event}
            case {"timed": str(name), "size": int(size), "rows_per_s": rate}:
                self.rates.setdefault(name, {})[size] = float(rate)
            case {"late": True}:
                self.is_late = True
            case {"stopped": str(why)} | {"failed": str(why)}:
                self.stopped = why
            case {"done": True}:
                self.is_done = True

    def refuse(self, what: str, why: str) -> None:
        """Note that a candidate is none, or all that need an export."""
        for each in self.candidates:
            if what == each.name or (what == EXPORT and each.source is None):
                self.refused[each.name] = f"{why} ({EXPORT})" if what == EXPORT else why

    def tried(self) -> tuple[Tried, ...]:
        """Each candidate with what was seen of it."""
        return tuple(
            Tried(
                candidate=each,
                rows_per_s=self.rates.get(each.name, {}),
                difference=float(self.alike.get(each.name, {}).get("difference", 0.0)),
                rows=int(self.alike.get(each.name, {}).get("rows", 0)),
                first_changed=int(self.alike.get(each.name, {}).get("first_changed", 0)),
                refused=self.refused.get(each.name, ""),
            )
            for each in self.candidates
        )


#: Hears what is tried next, before it is.
Noted = Callable[[str], None]


def try_all(plan: TrialPlan, *, noted: Noted) -> TrialLog:
    """Have a plan tried, within its time.

    A candidate that ends the process, or hangs, is refused, and the others are tried again.
    """
    seen = TrialLog(plan.candidates)
    ends = time.monotonic() + plan.budget_s
    skip = list(plan.skip)
    for name in skip:
        seen.refuse(name, DIED_BEFORE)
    if TIMING in skip:
        seen.stopped = f"{DIED_BEFORE}: {TIMING}"
        return seen
    while True:
        left = ends - time.monotonic()
        why = _run(replace(plan, budget_s=max(left, 1.0), skip=skip), seen, noted)
        if seen.is_done or seen.stopped:
            return seen
        if seen.trying in ("", plan.candidates[0].name):
            seen.stopped = f"its process {why}"
            return seen
        skip.append(seen.trying)
        if seen.trying == TIMING:
            seen.stopped = f"its process {why} while candidates were timed"
            return seen
        seen.refuse(seen.trying, f"its process {why}")
        if ends - time.monotonic() <= 0:
            seen.stopped, seen.is_late = "the time for tuning was over", True
            return seen


#: What is said of a candidate that was being tried when a worker ended.
DIED_BEFORE = "the process of a worker ended while it was tried"


def _run(plan: TrialPlan, seen: TrialLog, noted: Noted) -> str:
    """One process, heard to its end. Answers how it ended."""
    with tempfile.TemporaryFile("w+", errors="replace") as printed, _started(printed) as child:
        hang = threading.Timer(plan.budget_s + _GRACE_S, child.kill)
        hang.start()
        try:
            assert child.stdin is not None and child.stdout is not None  # noqa: PT018 # pipes
            child.stdin.write(json.dumps(plan.told()) + "\n")
            child.stdin.flush()
            for line in child.stdout:
                event = json.loads(line)
                seen.heed(event)
                if "trying" in event:
                    noted(event["trying"])
            code = child.wait()
        except BrokenPipeError:
            code = child.wait()
        finally:
            is_hung = hang.finished.is_set()
            hang.cancel()
        if not seen.is_done:
            log.warning("a trial ended amid %s: %s", seen.trying or "its start", _tail(printed))
    if is_hung:
        seen.is_late = True
        return "took longer than the time for tuning"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


@contextmanager
def _started(printed: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """The process, which ends with the block."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "wherry.tasks.tuning"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=printed,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def _tail(printed: IO[str]) -> str:
    size = printed.seek(0, 2)
    printed.seek(max(0, size - _TAIL))
    lines = [line.strip() for line in printed.read().splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it printed nothing"
