"""The models that a worker knows, and those of them that it holds, loaded and warm."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext

from ..jobs.claim import BatchBudget
from ..jobs.failed import not_loaded
from ..protocol.errors import ModelFailed, ModelNotFound, Unavailable
from ..tasks.backends.device import Device
from ..tasks.base import TaskInput
from ..tasks.catalog import Catalog, ModelDeclaration
from ..tasks.registry import get_task
from .budget import ShapeBudget, declared_budget
from .loaded_model import LoadedModel, files_of, model_id_of
from .warming import free_memory, one_collection, reason_of, warm_backend

log = logging.getLogger(__name__)

#: Rows of one batch of jobs that are refused: no device has to bear them.
_REFUSED_ROWS = 1000


class Stopped(SystemExit):
    """The process was told to end while it loaded: no model's fault."""


class Models:
    """The models of a worker, by name and version: known, loaded, or failed, and why.

    A model is forgotten never: one that models.toml declares no more is `leaving`, and is served as
    long as jobs come. One that is put away is loaded again for whatever job still comes.
    """

    def __init__(
        self,
        catalog: Catalog,
        families: Collection[str],
        device: Device,
        *,
        handler_dir: str = "",
        budget: Callable[[ModelDeclaration], ShapeBudget[TaskInput]] = declared_budget,
        watched: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._device, self._budget, self._handler_dir = device, budget, handler_dir
        #: Entered, with the model's id, around each load; may raise ModelRefused.
        self._watched = watched
        self._families = frozenset(families)
        self._known = {model_id_of(m): m for m in catalog.models if m.family in families}
        self._leaving: set[str] = set()
        self._loaded: dict[str, LoadedModel] = {}
        self._loads = 0
        self._failed: dict[str, str] = {}
        #: Why, of models whose new declaration could not be loaded: the one before is served.
        self._outdated: dict[str, str] = {}
        #: Those that are not to be loaded until a job comes.
        self._asleep: set[str] = set()
        #: Held for moments. A load takes minutes, and has a lock of its own.
        self._lock, self._load_lock = threading.Lock(), threading.Lock()
        #: Ids of the models whose jobs are claimed to be refused.
        self._refused: frozenset[str] = frozenset()
        #: What the budgets were made for, and the budgets.
        self._budgets: tuple[object, Mapping[str, BatchBudget]] = (None, {})

    def load_all(self, *, strict: bool = False) -> None:
        """Load and warm every declared model, so that no job pays for the first forward.

        One that cannot be loaded is left out; with `strict` it raises ModelFailed.
        """
        for model_id in self.loading:
            try:
                with one_collection():
                    self.get(*_parts(model_id))
            except ModelFailed:
                if strict:
                    raise

    def get(self, name: str, version: str) -> LoadedModel:
        """A model, loaded if need be. Raises ModelNotFound when it is not declared here, and
        ModelFailed when it could not be loaded, now or before.
        """
        model_id = f"{name}/{version}"
        found = self._found(model_id)
        if found is not None:
            return found
        with self._load_lock:
            return self._found(model_id) or self._load(model_id)

    def borrow(self, name: str, version: str) -> LoadedModel:
        """A model as `get` answers it, which stays open until it is given back."""
        while True:
            model = self.get(name, version)
            with self._lock:
                if not model.is_put_away:
                    model.users += 1
                    return model

    def give_back(self, model: LoadedModel) -> None:
        """End what `borrow` began."""
        with self._lock:
            model.users -= 1
            over = model.is_put_away and not model.users
        if over:
            _close(model)

    def _found(self, model_id: str) -> LoadedModel | None:
        with self._lock:
            if model_id in self._failed:
                raise ModelFailed(not_loaded(_parts(model_id)[0], self._failed[model_id]))
            return self._loaded.get(model_id)

    def take(self, catalog: Catalog, names: Collection[str] | None = None) -> None:
        """Serve what a catalog says now of the models of these names, or of all.

        What is new or changed or has failed is loaded; the one before is served meanwhile, and
        after it if the new one cannot be loaded. What is declared no more is leaving.
        """
        said = {
            model_id_of(model): model
            for model in catalog.models
            if model.family in self._families and (names is None or model.name in names)
        }
        with self._lock:
            ours = [i for i in self._known if names is None or _parts(i)[0] in names]
            self._leaving |= set(ours) - said.keys()
            self._leaving -= said.keys()
        for model_id, declaration in said.items():
            self._renew(model_id, declaration)

    def _renew(self, model_id: str, declaration: ModelDeclaration) -> None:
        with self._lock:
            before = self._known.get(model_id)
            loaded = self._loaded.get(model_id)
            if before is not None and before.task != declaration.task:
                reason = (
                    f"its task was {before.task} and is {declaration.task} now: declare that with"
                    " another version, or restart the fleet"
                )
            else:
                reason = ""
                self._known[model_id] = declaration
                self._asleep.discard(model_id)
                has_failed = self._failed.pop(model_id, None) is not None
        if reason:
            if loaded is not None:
                self._keep_old(model_id, reason)
            else:
                self.fail(model_id, reason)
        elif loaded is None or has_failed or loaded.differs_from(declaration):
            with self._load_lock:
                self._replace(model_id, loaded)
        else:
            with self._lock:
                self._outdated.pop(model_id, None)

    def _replace(self, model_id: str, before: LoadedModel | None) -> None:
        try:
            self._load(model_id, instead_of=before)
        except ModelFailed:
            return  # noted
        except Unavailable as error:
            if before is None:
                self.fail(model_id, error.message)
            else:
                self._keep_old(model_id, error.message)
            return
        if before is not None:
            self._discard(before)

    def _keep_old(self, model_id: str, reason: str) -> None:
        with self._lock:
            self._outdated[model_id] = reason
        log.error(
            "model %s is served as it was: what models.toml says of it now could not be loaded: %s",
            model_id,
            reason,
        )

    def put_away(self, model_ids: Collection[str]) -> None:
        """Close models and free their memory, each once no batch runs on it."""
        for model_id in model_ids:
            with self._lock:
                self._asleep.add(model_id)
                model = self._loaded.pop(model_id, None)
            if model is not None:
                self._discard(model)
                log.info("model %s is put away", model_id)

    def _discard(self, model: LoadedModel) -> None:
        with self._lock:
            model.is_put_away = True
            over = not model.users
        if over:
            _close(model)

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
        error = ModelFailed(not_loaded(_parts(model_id)[0], reason))
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
    def loading(self) -> list[str]:
        """Ids of the models that are still to be loaded."""
        with self._lock:
            others = self._loaded.keys() | self._failed.keys() | self._asleep | self._leaving
            return [model_id for model_id in self._known if model_id not in others]

    def batch_budgets(self, max_bytes: int) -> Mapping[str, BatchBudget]:
        """What a batch of each model may hold, by `Group.model_id`, for the next claim.

        The rows that fit may change at any time, but rarely do: to make all budgets anew would be
        a third of a claim with 37 models.
        """
        loaded, refused, asleep = list(self), self._refused, self.asleep
        now = self._loads, [model.max_rows for model in loaded], refused, asleep
        known, budgets = self._budgets
        if now != known:
            budgets = {
                **dict.fromkeys(sorted(refused), BatchBudget(_REFUSED_ROWS, max_bytes)),
                **{i: BatchBudget(self.known[i].max_batch_size, max_bytes) for i in sorted(asleep)},
                **{model.group_model_id: model.batch_budget(max_bytes) for model in loaded},
            }
            self._budgets = now, budgets
        return budgets

    def notes(self) -> dict[str, str]:
        """What an operator should know of how models are served, by name:version."""
        served = {f"{m.declaration.name}:{m.declaration.version}": m.backend for m in self}
        company = {name: note for name, each in served.items() if (note := each.company.note)}
        outdated = {
            ":".join(_parts(i)): f"served as it was: what models.toml says now fails: {reason}"
            for i, reason in self.outdated.items()
        }
        return {**company, **outdated}

    def close(self) -> None:
        """Close every backend."""
        with self._lock:
            for model in self._loaded.values():
                model.backend.close()
            self._loaded.clear()

    def _load(self, model_id: str, *, instead_of: LoadedModel | None = None) -> LoadedModel:
        """Load a model. Raises ModelFailed, which is remembered; `instead_of` is served then."""
        declaration = self.known.get(model_id)
        if declaration is None:
            name, version = _parts(model_id)
            raise ModelNotFound(f"this worker does not serve model {name!r} version {version!r}")
        files = files_of(declaration)
        try:
            with self._watched(model_id):
                loaded = LoadedModel(
                    declaration,
                    get_task(declaration.task),
                    warm_backend(declaration, self._device, self._handler_dir),
                    self._budget(declaration),
                    files,
                )
        except (Stopped, Unavailable):
            raise
        except (Exception, SystemExit) as error:  # a folder's own code may exit
            log.debug("model %s does not load", model_id, exc_info=True)
            reason = reason_of(error)
        else:
            with self._lock:
                self._loaded[model_id] = loaded
                self._loads += 1
                self._asleep.discard(model_id)
                self._outdated.pop(model_id, None)
            return loaded
        # Only now is the trace gone, which holds what was loaded so far.
        gc.collect()
        if instead_of is not None:
            self._keep_old(model_id, reason)
            raise ModelFailed(not_loaded(declaration.name, reason))
        raise self.fail(model_id, reason)


def _close(model: LoadedModel) -> None:
    model.backend.close()
    free_memory()


def _parts(model_id: str) -> tuple[str, str]:
    """The name and the version of a model."""
    name, _, version = model_id.rpartition("/")
    return name, version
