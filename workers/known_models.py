"""What a worker knows of its models: which are declared, loaded, asleep, or failed, and why."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator, Mapping

from ..jobs.claim import BatchBudget
from ..jobs.failed import not_loaded
from ..protocol.errors import ModelFailed
from ..tasks.catalog import Catalog, ModelDeclaration
from .loaded_model import LoadedModel, model_id_of
from .memory import Memory

log = logging.getLogger(__name__)

#: How fast models load, until one has.
_BYTES_A_SECOND = 200_000_000

#: Rows of one batch of jobs that are refused: no device has to bear them.
_REFUSED_ROWS = 1000


class KnownModels:
    """The models of a worker, by name and version. Threads share it.

    A model is forgotten never: one that models.toml declares no more is `leaving`, and is served as
    long as jobs come. One that is put away is loaded again for whatever job still comes.
    """

    def __init__(self, catalog: Catalog, families: Collection[str], memory: Memory) -> None:
        self._memory = memory
        self._families = frozenset(families)
        self._known = {model_id_of(m): m for m in catalog.models if m.family in families}
        self._leaving: set[str] = set()
        self._loaded: dict[str, LoadedModel] = {}
        #: How often that changed.
        self._turns = 0
        self._failed: dict[str, str] = {}
        #: Why, of models whose new declaration could not be loaded: the one before is served.
        self._outdated: dict[str, str] = {}
        #: Those that are not to be loaded until a job comes, and those of them that one came to.
        self._asleep: set[str] = set()
        self._wanted: dict[str, None] = {}
        self._load_s: dict[str, float] = {}
        #: Held for moments.
        self._lock = threading.Lock()
        #: Ids of the models whose jobs are claimed to be refused.
        self._refused: frozenset[str] = frozenset()
        #: What the budgets were made for, and the budgets.
        self._budgets: tuple[object, Mapping[str, BatchBudget]] = (None, {})

    def _found(self, model_id: str) -> LoadedModel | None:
        with self._lock:
            if model_id in self._failed:
                raise ModelFailed(not_loaded(name_and_version(model_id)[0], self._failed[model_id]))
            return self._loaded.get(model_id)

    def keep_old(self, model_id: str, reason: str) -> None:
        """Note and log why a model is served as it was declared before."""
        with self._lock:
            self._outdated[model_id] = reason
        log.error(
            "model %s is served as it was: what models.toml says of it now could not be loaded: %s",
            model_id,
            reason,
        )

    def want(self, model_id: str) -> None:
        """Have a model that sleeps loaded by the next `load_wanted`."""
        with self._lock:
            self._wanted[model_id] = None

    def remember(self, declaration: ModelDeclaration) -> None:
        """Know a model that was declared once, in case a job waits for it."""
        model_id = model_id_of(declaration)
        with self._lock:
            if declaration.family in self._families and model_id not in self._known:
                self._known[model_id] = declaration
                self._leaving.add(model_id)
                self._asleep.add(model_id)

    def let_sleep(self, model_ids: Collection[str]) -> None:
        """Load none of these until a job comes."""
        with self._lock:
            self._asleep |= {i for i in model_ids if i in self._known and i not in self._loaded}

    def wake(self, model_ids: Collection[str]) -> None:
        """Let `loading` name these again."""
        with self._lock:
            self._asleep -= set(model_ids)

    def fail(self, model_id: str, reason: str) -> ModelFailed:
        """Note and log why a model cannot be loaded. Answers the error that its jobs get."""
        with self._lock:
            self._failed[model_id] = reason
        error = ModelFailed(not_loaded(name_and_version(model_id)[0], reason))
        log.error("%s", error.message)
        return error

    def refuse(self, model_ids: Collection[str]) -> None:
        """Claim the jobs of these models too, as far as they failed here: to refuse them."""
        with self._lock:
            self._refused = frozenset(model_ids) & self._failed.keys()

    def __iter__(self) -> Iterator[LoadedModel]:
        """The models loaded now."""
        with self._lock:
            return iter(list(self._loaded.values()))

    @property
    def failed(self) -> dict[str, str]:
        """Why, by `Group.model_id`, for each model that could not be loaded."""
        with self._lock:
            return dict(self._failed)

    @property
    def outdated(self) -> dict[str, str]:
        """Why, by `Group.model_id`, for each model that is served as it was declared before."""
        with self._lock:
            return dict(self._outdated)

    @property
    def known(self) -> dict[str, ModelDeclaration]:
        """Every model that was ever declared here, by `Group.model_id`."""
        with self._lock:
            return dict(self._known)

    def parameters(self, model_ids: Collection[str]) -> dict[str, list[str]]:
        """The parameters of these models' tasks, of those that write: others get few new ones."""
        with self._lock:
            tasks = [self._known[each].definition for each in model_ids]
        return {task.name: [*task.input.parameter_names()] for task in tasks if task.own}

    def declared(self) -> list[ModelDeclaration]:
        """What models.toml says, of the families served here."""
        with self._lock:
            return [model for i, model in self._known.items() if i not in self._leaving]

    @property
    def leaving(self) -> frozenset[str]:
        """Ids of those that are declared no more."""
        with self._lock:
            return frozenset(self._leaving)

    @property
    def asleep(self) -> frozenset[str]:
        """Ids of those that are loaded when a job comes."""
        with self._lock:
            return frozenset(self._asleep - self._loaded.keys() - self._failed.keys())

    @property
    def load_ms(self) -> dict[str, int]:
        """How long it should take, by `Group.model_id`, to load each model that sleeps."""
        return {i: int(1000 * self._expected_load_s(i)) for i in sorted(self.asleep)}

    def _expected_load_s(self, model_id: str) -> float:
        known = self._load_s.get(model_id)
        size = self._memory.expected(self._known[model_id])
        return known if known is not None else 1 + size / _BYTES_A_SECOND

    @property
    def loading(self) -> list[str]:
        """Ids of the models that are still to be loaded, in that order: pinned ones first."""
        with self._lock:
            others = self._loaded.keys() | self._failed.keys() | self._asleep | self._leaving
            left = [model_id for model_id in self._known if model_id not in others]
            return sorted(left, key=lambda model_id: not self._known[model_id].pinned)

    def batch_budgets(self, max_bytes: int) -> Mapping[str, BatchBudget]:
        """What a batch of each model may hold, by `Group.model_id`, for the next claim.

        The rows that fit may change at any time, but rarely do: to make all budgets anew would be
        a third of a claim with 37 models.
        """
        with self._lock:
            loaded, refused, turns = list(self._loaded.values()), self._refused, self._turns
        rooms = [model.room for model in loaded]
        now = turns, rooms, refused
        known, budgets = self._budgets
        if now != known:
            budgets = {
                **dict.fromkeys(sorted(refused), BatchBudget(_REFUSED_ROWS, max_bytes)),
                **{
                    model.group_model_id: model.batch_budget(max_bytes)
                    for model, room in zip(loaded, rooms, strict=True)
                    if room
                },
            }
            self._budgets = now, budgets
        return budgets

    @property
    def away(self) -> dict[str, str]:
        """Why, by `Group.model_id`, for each remote model that answers nothing now."""
        return {m.group_model_id: why for m in self if (why := m.backend.away)}

    def remote(self, model_id: str) -> LoadedModel | None:
        """A model that another machine runs, if it is one."""
        with self._lock:
            model = self._loaded.get(model_id)
        return model if model is not None and model.backend.is_remote else None

    def notes(self) -> dict[str, str]:
        """What an operator should know of how models are served, by name:version."""
        served = {f"{m.declaration.name}:{m.declaration.version}": m for m in self}
        company = {name: note for name, each in served.items() if (note := each.note)}
        told = dict.fromkeys(self.asleep, "loaded when a job comes") | {
            i: f"served as it was: what models.toml says now fails: {why}"
            for i, why in self.outdated.items()
        }
        return company | {":".join(name_and_version(i)): note for i, note in told.items()}


def name_and_version(model_id: str) -> tuple[str, str]:
    """The two parts of a model's id."""
    name, _, version = model_id.rpartition("/")
    return name, version
