"""From a declaration without a backend to one with the backend that serves it here."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..backends.device import Device
from ..catalog import ModelDeclaration
from ..check import weigh
from .candidates import Contender, barred, candidates_of
from .choice import choose
from .identity import digest, export_identity, identity
from .process import DIED_BEFORE, TrialLog, try_all
from .shelf import BusyError, InUse, Shelf
from .trial import TIMING, TrialPlan
from .verdict import Tried, Verdict

log = logging.getLogger(__name__)

#: Rows of a batch between one and a full one.
_USUAL = 8

#: Seconds after which a model is tried once more that something went wrong with: a worker that was
#: killed as it tuned, be it for a redeploy, leaves the same as one that died of what it tried.
_TROUBLE_S = 24 * 3600

#: Times the budget of one model that others' tuning is waited for.
_TURNS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What tuning may take."""

    #: Of time, for one model.
    budget_s: float = 120.0
    #: Of a model's weights.
    max_bytes: int = 4 << 30


class Tuner:
    """Finds verdicts on a kind of device, or has them made."""

    def __init__(
        self,
        folder: Path,
        device: Device,
        device_kind: str,
        *,
        is_on: bool = True,
        bounds: Bounds | None = None,
        handler_dir: str = "",
        free_memory: Callable[[], int | None] = lambda: None,
        candidates: Callable[[ModelDeclaration, str], Sequence[Contender]] = candidates_of,
    ) -> None:
        self._shelf, self._device, self._kind = Shelf(folder), device, device_kind
        self._is_on, self._bounds = is_on, bounds or Bounds()
        self._handler_dir = handler_dir
        self._free_memory, self._candidates = free_memory, candidates
        #: By name and version.
        self._held: dict[tuple[str, str], InUse | None] = {}
        #: What is being done, in a few words for an operator; "" while nothing is.
        self.doing = ""
        #: The verdict amid which something is tried that may end this process, and what had before.
        self._amid: tuple[str, list[str]] | None = None
        self._is_leaving, self._noting = False, threading.Lock()

    def leave(self) -> None:
        """Blame nothing that another thread is just trying for the end of this process."""
        with self._noting, contextlib.suppress(OSError):
            self._is_leaving = True
            if self._amid is not None:
                self._shelf.note(*self._amid)

    def verdict(self, declared: ModelDeclaration, *, anew: bool = False) -> Verdict:
        """The verdict on a model that names no backend: kept, or made now. Raises ValueError where
        nothing does its task.
        """
        first, *others = self._candidates(declared, self._device.name)
        if not others:
            return _only(first, _barred(declared, self._device.name))
        if not self._is_on:
            return Verdict(chosen=first, why="tuning is off (WHERRY_TUNE)")
        if why := self._too_large(declared):
            return Verdict(chosen=first, why=why)
        told = identity(declared, self._kind)
        name = digest(told)
        anew = anew or self._is_old_trouble(name)
        if not anew and (kept := self._kept(declared, name)) is not None:
            return kept
        try:
            self._shelf.open()
            self.doing = f"tuning {declared.name}: waiting for its turn"
            with self._shelf.alone(_TURNS * self._bounds.budget_s):
                if not anew and (kept := self._kept(declared, name)) is not None:
                    return kept  # another worker's
                return self._made(declared, name, told, [first, *others], anew=anew)
        except BusyError:
            why = "another process has been tuning all the while: the next start looks again"
        except OSError as error:
            why = f"{self._shelf.folder} takes no verdict ({error.strerror or error})"
        finally:
            self.doing, self._amid = "", None
        log.warning("model %s is served by %s: %s", declared.name, first.name, why)
        return Verdict(chosen=first, why=why, is_trouble=True)

    def _kept(self, declared: ModelDeclaration, name: str) -> Verdict | None:
        if self._shelf.read(name) is None:
            return None
        self._hold(declared, name)
        kept = self._shelf.read(name)  # which may have gone before it was held
        if kept is not None and kept.is_cut_short and kept.budget_s < self._bounds.budget_s:
            return None  # there is more time now
        return kept

    def _hold(self, declared: ModelDeclaration, name: str) -> None:
        """Keep what a model is served by from who tidies, in the place of what it was before."""
        self._held[declared.name, declared.version] = self._shelf.hold(name)

    def _is_old_trouble(self, name: str) -> bool:
        """Whether what went wrong is long ago, and had perhaps nothing to do with the model."""
        kept = self._shelf.read(name)
        if kept is None or time.time() - kept.made_at <= _TROUBLE_S:
            return False
        return kept.is_trouble or any(DIED_BEFORE in each.refused for each in kept.tried)

    def _too_large(self, declared: ModelDeclaration) -> str:
        """Why a model is not tuned, for its size; "" where it is."""
        size, free = weigh(declared), self._free_memory()
        if size > self._bounds.max_bytes:
            return f"its weights are over WHERRY_TUNE_MAX_BYTES ({_gib(self._bounds.max_bytes)})"
        if free is not None and 4 * size > free:
            return f"{_gib(free)} of memory are free, and to try others takes {_gib(4 * size)}"
        return ""

    def _made(
        self,
        declared: ModelDeclaration,
        name: str,
        told: Mapping[str, Any],
        candidates: Sequence[Contender],
        *,
        anew: bool,
    ) -> Verdict:
        most_s = self._bounds.budget_s
        log.info(
            "model %s: trying once what serves it fastest here, %.0f s at most",
            declared.name,
            most_s,
        )
        began, export = time.monotonic(), digest(export_identity(declared))
        plan = TrialPlan(
            task=declared.task,
            device=self._device.name,
            asked=self._device.asked,
            candidates=candidates,
            sizes=sizes(declared),
            tolerance=declared.most_apart,
            export=str(self._shelf.export(export)),
            budget_s=self._bounds.budget_s,
            handler_dir=self._handler_dir,
            skip=[] if anew else self._shelf.trying(name),
        )
        concluded = _concluded(self._tried(plan, declared.name, name))
        verdict = replace(
            concluded,
            tried=(*concluded.tried, *_barred(declared, self._device.name)),
            tolerance=declared.most_apart,
            took_s=round(time.monotonic() - began, 1),
            budget_s=self._bounds.budget_s,
            made_at=time.time(),
            identity=told,
        )
        if verdict.chosen.source is None:
            verdict = replace(verdict, export=export)
        self._shelf.write(name, verdict)
        self._hold(declared, name)
        self._shelf.tidy(name, verdict)
        log.info("model %s is served by %s: %s", declared.name, verdict.chosen.name, verdict.why)
        return verdict

    def _tried(self, plan: TrialPlan, model: str, name: str) -> TrialLog:
        """What a plan shows; what is tried is written down before, by the verdict's name."""

        def noted(what: str) -> None:
            doing = "timing what is left" if what == TIMING else f"trying {what}"
            self.doing = f"tuning {model}: {doing}"
            if what != plan.candidates[0].name:  # of which workers know how often they died
                with self._noting:
                    self._amid = name, list(plan.skip)
                    if not self._is_leaving:
                        self._shelf.note(name, [*plan.skip, what])

        try:
            return try_all(plan, noted=noted)
        except BaseException:  # told to stop: nothing died of what was tried
            self._shelf.note(name, list(plan.skip))
            raise

    def served_as(self, declared: ModelDeclaration, verdict: Verdict) -> ModelDeclaration:
        """A declaration with the backend, parameters and source of its verdict."""
        chosen = verdict.chosen
        source = str(self._shelf.export(verdict.export)) if verdict.export else chosen.source
        named = {"backend": chosen.backend, "parameters": dict(chosen.parameters)}
        plain = {"precision": "exact", "tolerance": None}  # which backends know nothing of
        return declared.model_copy(update={**named, **plain, "source": source})


def _barred(declared: ModelDeclaration, device: str) -> tuple[Tried, ...]:
    """What a parameter of the model keeps from being tried."""
    return tuple(Tried(candidate=each, refused=why) for each, why in barred(declared, device))


def _only(first: Contender, others: Sequence[Tried]) -> Verdict:
    """The verdict where there is nothing to try."""
    if not others:
        return Verdict(chosen=first, why="nothing else serves such a source here")
    reasons = "; ".join(f"{each.candidate.name}: {each.refused}" for each in others)
    return Verdict(
        chosen=first,
        why=f"its parameters leave nothing else: {reasons}",
        tried=(Tried(candidate=first), *others),
    )


def _concluded(seen: TrialLog) -> Verdict:
    tried = seen.tried()
    if seen.stopped:
        return Verdict(
            chosen=tried[0].candidate,
            why=seen.stopped,
            tried=tried,
            is_cut_short=seen.is_late,
            is_trouble=True,
        )
    best, why, size = choose(tried)
    return Verdict(
        chosen=best.candidate,
        why=why,
        tried=tried,
        size=size,
        is_cut_short=seen.is_late,
    )


def sizes(declared: ModelDeclaration) -> list[int]:
    """Rows of the batches to time: one, some, and a full one, by which candidates are ranked."""
    full = min(
        max(declared.preferred_batch_size, default=declared.max_batch_size), declared.max_batch_size
    )
    return sorted({1, min(_USUAL, full), full})


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
