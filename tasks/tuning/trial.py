"""One look at a model's candidates, in a process that may die of it.

Each is held against the first, which is what the source is made for, and those that answer alike
are timed in turns. What is found is said as it is found, so that nothing is lost with the process.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from ...protocol.errors import OutOfMemory
from ..backends import create_backend
from ..backends.base import Backend, ModelRefused
from ..backends.cores import usable_cores
from ..backends.device import Device
from ..base import Task, TaskInput
from ..registry import get_task
from . import rows
from .answers import Apart, UnlikeError
from .candidates import Contender

#: What is tried where it is no candidate.
EXPORT, TIMING = "the export", "timing"

#: Rounds in which candidates are timed in turn, and seconds for which each runs in one at least.
#: CPU time needs fewer: it is what it is, whatever else the machine does.
_ROUNDS, _CPU_ROUNDS, _LEAST_S = 7, 5, 0.05

#: Parts of the time that is left which one size's rounds may take.
_SHARE = 0.4

Say = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """What is to be tried: the first candidate is what the others are held against."""

    task: str
    device: str
    asked: str
    candidates: Sequence[Contender]
    #: Rows of the batches that are timed, in rising order; the last one counts.
    sizes: Sequence[int]
    tolerance: float
    #: Where the fleet's own export is, or is to be written.
    export: str = ""
    budget_s: float = 120.0
    #: Where the operator has trusted code, for graphs with an adapter of their own.
    handler_dir: str = ""
    #: Names of what has failed already.
    skip: Sequence[str] = field(default_factory=tuple)

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """From JSON."""
        candidates = [Contender(**each) for each in told["candidates"]]
        return cls(**{**told, "candidates": candidates})


class Trial:
    """The candidates of a plan, tried one after the other."""

    def __init__(self, plan: TrialPlan, say: Say) -> None:
        self._plan, self._say = plan, say
        self._task: Task = get_task(plan.task)
        self._rows = rows.compared(self._task)
        self._ends = time.monotonic() + plan.budget_s
        self._made: dict[str, Backend] = {}

    def run(self) -> None:
        """Try all. What the first one raises is raised: without it nothing can be said."""
        first, *others = self._plan.candidates
        self._say({"trying": first.name})
        reference = self._loaded(first)
        alone = [reference.run([row])[0] for row in self._rows]
        try:
            self._held(reference, alone, Apart(self._plan.tolerance))
        except UnlikeError as error:
            self._say({"stopped": f"its own answers differ from one call to the next: {error}"})
            return
        self._made[first.name] = reference
        for candidate in others:
            if candidate.name not in self._plan.skip:
                self._try(candidate, alone)
        if len(self._made) > 1:
            self._time()

    def _try(self, candidate: Contender, alone: Sequence[Any]) -> None:
        if time.monotonic() > self._ends:
            self._refuse(candidate, "the time for tuning was over before it was tried")
            self._say({"late": True})
            return
        backend: Backend | None = None
        apart = Apart(self._plan.tolerance)
        try:
            if candidate.source is None:
                self._export()
            self._say({"trying": candidate.name})
            backend = self._loaded(candidate)
            self._held(backend, alone, apart)
        except Exception as error:  # a runtime raises whatever it likes
            self._refuse(candidate, _reason(error), apart)
            if backend is not None:
                backend.close()
        else:
            self._made[candidate.name] = backend
            self._say({"alike": candidate.name, **_told(apart)})

    def _refuse(self, candidate: Contender, why: str, apart: Apart | None = None) -> None:
        self._say({"refused": candidate.name, "why": why, **(_told(apart) if apart else {})})

    def _loaded(self, candidate: Contender) -> Backend:
        device = Device(self._plan.device, asked=self._plan.asked)
        source = self._plan.export if candidate.source is None else candidate.source
        parameters = dict(candidate.parameters)
        if "adapter" in parameters:
            parameters["handler_dir"] = self._plan.handler_dir
        made = create_backend(
            candidate.backend, self._plan.task, source or None, device=device, **parameters
        )
        made.load()
        made.warm_up()
        return made

    def _held(self, backend: Backend, alone: Sequence[Any], apart: Apart) -> None:
        """Hold its answers, alone and in one batch, against those. Raises UnlikeError."""
        for row, wanted in zip(self._rows, alone, strict=True):
            apart.add(row, wanted, backend.run([row])[0])
        together = backend.run(self._rows)
        beside = Apart(apart.tolerance)
        try:
            for row, wanted, found in zip(self._rows, alone, together, strict=True):
                beside.add(row, wanted, found)
        except UnlikeError as error:
            raise UnlikeError(f"in a batch: {error}") from None
        finally:
            apart.most = max(apart.most, beside.most)

    def _export(self) -> None:
        folder = Path(self._plan.export)
        if folder.is_dir():
            return
        if EXPORT in self._plan.skip:
            raise ModelRefused("its process ended while the model was exported")
        from ..export import export

        self._say({"trying": EXPORT})
        source = self._plan.candidates[0].source or self._task.default_model
        part = folder.with_name(f"{folder.name}.part-{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        try:
            export(source, part, self._plan.task)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _time(self) -> None:
        left = dict(self._made)
        for size in self._plan.sizes:
            self._say({"trying": TIMING})
            batch = rows.timed(self._task, size)
            if not self._warmed(left, batch):
                return
            taken = self._rounds(left, batch)
            for name, seconds in _settled(taken, by_cpu=self._is_by_cpu()).items():
                self._say({"timed": name, "size": size, "rows_per_s": round(size / seconds, 2)})

    def _warmed(self, left: dict[str, Backend], batch: Sequence[TaskInput]) -> bool:
        """Whether a size can be timed in what is left of the time; what has no memory for it, or
        fails with it, is left out.
        """
        first = next(iter(left))
        for name, backend in [*left.items()]:
            began = time.monotonic()
            try:
                backend.run(batch)
            except Exception as error:
                if name == first:  # no forward of this size, on whatever
                    return False
                why = "no memory" if isinstance(error, OutOfMemory) else _reason(error)
                self._say({"refused": name, "why": f"a batch of {len(batch)} fails: {why}"})
                left.pop(name).close()
                continue
            took = time.monotonic() - began
            if took * len(left) * 2 > self._ends - time.monotonic():
                self._say({"late": True})
                return False
        return True

    def _is_by_cpu(self) -> bool:
        """Whether each candidate computes on one core: CPU time tells which is faster then, with a
        tenth of the noise on a machine that is busy.
        """
        threads = self._plan.candidates[0].parameters.get("threads") or usable_cores()
        return self._plan.device == "cpu" and threads == 1

    def _rounds(
        self, left: Mapping[str, Backend], batch: Sequence[TaskInput]
    ) -> list[dict[str, _Taken]]:
        """What a batch takes on each, by rounds in turn: machines are busy by moments."""
        taken: list[dict[str, _Taken]] = []
        ends = time.monotonic() + _SHARE * max(0.0, self._ends - time.monotonic())
        for number in range(_CPU_ROUNDS if self._is_by_cpu() else _ROUNDS):
            names = [*left][number % len(left) :] + [*left][: number % len(left)]
            taken.append({name: _taken(left[name], batch) for name in names})
            if number and time.monotonic() > ends:
                break
        return taken

    def close(self) -> None:
        """Free all."""
        for backend in self._made.values():
            with contextlib.suppress(Exception):
                backend.close()


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a batch takes."""

    seconds: float
    #: Of CPU, of all threads.
    cpu_s: float


def _taken(backend: Backend, batch: Sequence[TaskInput]) -> _Taken:
    began, spent, count = time.perf_counter(), time.process_time(), 0
    while count == 0 or time.perf_counter() - began < _LEAST_S:
        backend.run(batch)
        count += 1
    return _Taken((time.perf_counter() - began) / count, (time.process_time() - spent) / count)


def _settled(rounds: Sequence[Mapping[str, _Taken]], *, by_cpu: bool) -> dict[str, float]:
    """Seconds that a batch takes on each: the first one's median, and of the others the median of
    their ratios to it in the same round, since what slows a round slows all in it.
    """

    def cost(each: _Taken) -> float:
        return each.cpu_s if by_cpu else each.seconds

    first = next(iter(rounds[0]))  # whose turn came first in the first round
    usual = statistics.median(each[first].seconds for each in rounds)
    return {
        name: usual * statistics.median(cost(each[name]) / cost(each[first]) for each in rounds)
        for name in rounds[0]
    }


def _told(apart: Apart) -> dict[str, Any]:
    return {
        "difference": apart.most,
        "rows": apart.rows,
        "first_changed": apart.first_changed,
    }


def _reason(error: BaseException) -> str:
    """One line that says why a candidate is none."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, ModelRefused | UnlikeError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def events(plan: TrialPlan) -> Iterator[Mapping[str, Any]]:
    """All that a trial in this process says."""
    said: list[Mapping[str, Any]] = []
    trial = Trial(plan, said.append)
    try:
        trial.run()
    finally:
        trial.close()
    yield from said
