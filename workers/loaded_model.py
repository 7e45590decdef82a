from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..jobs.claim import BatchBudget
from ..jobs.group import Group
from ..tasks.backends.base import Backend
from ..tasks.base import Task, TaskInput
from ..tasks.catalog import ModelDeclaration
from ..tasks.files import Files, files_at
from ..tasks.tuning.table import told_of
from ..tasks.tuning.verdict import Verdict
from .budget import ShapeBudget


@dataclass(slots=True, eq=False)
class LoadedModel:
    """A model ready to run, with the batch budget that its device has shown to bear."""

    declaration: ModelDeclaration
    task: Task
    backend: Backend
    budget: ShapeBudget[TaskInput]
    #: The files that it was loaded from.
    files: Files
    #: By which it has its backend; None where its declaration names that.
    verdict: Verdict | None = None
    #: What it takes of the memory, and seconds that its load took.
    bytes: int = 0
    load_s: float = 0.0
    #: By a monotonic clock.
    loaded_at_s: float = 0.0
    used_at_s: float = 0.0
    #: Whether a job or an operator waited for it, rather than that there was room.
    is_awaited: bool = False
    #: Whether the fleet knows what it turned out to be.
    is_told: bool = False
    #: Batches that ran on it, those that run now, and whether it is to be closed after these.
    runs: int = 0
    users: int = 0
    is_put_away: bool = False
    #: Rows of the batches that were claimed for it, where it is remote.
    held_rows: int = 0
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def group_model_id(self) -> str:
        """The model as groups name it."""
        return model_id_of(self.declaration)

    def facts(self) -> dict[str, object]:
        """What an operator may want to know of it."""
        told = asdict(self.backend.facts())
        if told["tensors"] is None:
            del told["tensors"]
        tuning = {} if self.verdict is None else told_of(self.verdict)
        return {
            **told,
            "bytes": self.bytes,
            "load_s": round(self.load_s, 3),
            "batching": self.backend.company.batching,
            **tuning,
        }

    @property
    def note(self) -> str:
        """What an operator should know of how it is served; "" for nothing."""
        verdict = "" if self.verdict is None else self.verdict.note
        away = f"its endpoint is away: {why}" if (why := self.backend.away) else ""
        return "; ".join(filter(None, (verdict, self.backend.company.note, away)))

    def differs_from(self, declaration: ModelDeclaration) -> bool:
        """Whether that says something else, or its files are others now."""
        return self.declaration != declaration or self.files != files_of(declaration)

    @property
    def max_rows(self) -> int:
        """Rows that one batch may hold now."""
        return self.budget.most

    @property
    def room(self) -> int:
        """Rows that may be claimed for it now: none where it is remote and away, or has enough."""
        room = self.backend.claimable(self.held_rows)
        return self.max_rows if room is None else min(room, self.max_rows)

    def batch_budget(self, max_bytes: int) -> BatchBudget:
        """What one batch may hold now, and how long it may wait to fill."""
        declared, room = self.declaration, self.room
        largest = max(declared.preferred_batch_size, default=room)
        return BatchBudget(
            max_rows=room,
            max_bytes=max_bytes,
            preferred_rows=min(largest, room),
            max_delay_ms=declared.max_queue_delay_microseconds // 1000
            or -int(self.backend.is_remote),
        )


def files_of(declaration: ModelDeclaration) -> Files:
    """What lies in a model's folder; nothing for a model that has none of its own."""
    if declaration.source is None or not (folder := Path(declaration.source)).is_absolute():
        return frozenset()
    return files_at(folder)


def model_id_of(declared: ModelDeclaration) -> str:
    """A model as groups name it."""
    return Group(declared.family, declared.name, declared.version).model_id
