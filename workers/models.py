"""The models that a worker holds, loaded and warm."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ..jobs.claim import BatchBudget
from ..jobs.failed import not_loaded
from ..jobs.group import Group
from ..protocol.errors import ModelFailed, ModelNotFound, Unavailable, WherryError
from ..tasks.backends import create_backend
from ..tasks.backends.base import Backend, ModelRefused
from ..tasks.backends.device import Device
from ..tasks.base import Task, TaskInput
from ..tasks.catalog import Catalog, ModelDeclaration
from ..tasks.check import check_model
from ..tasks.registry import get_task
from .budget import ShapeBudget, declared_budget

log = logging.getLogger(__name__)

#: Rows of one batch of jobs that are refused: no device has to bear them.
_REFUSED_ROWS = 1000


class Stopped(SystemExit):
    """The process was told to end while it loaded: no model's fault."""


@dataclass(slots=True)
class LoadedModel:
    """A model ready to run, with the batch budget that its device has shown to bear."""

    declaration: ModelDeclaration
    task: Task
    backend: Backend
    budget: ShapeBudget[TaskInput]

    @property
    def group_model_id(self) -> str:
        """The model as groups name it."""
        return _id_of(self.declaration)

    @property
    def max_rows(self) -> int:
        """Rows that one batch may hold now."""
        return self.budget.most

    def batch_budget(self, max_bytes: int) -> BatchBudget:
        """What one batch may hold now, and how long it may wait to fill."""
        declared = self.declaration
        largest = max(declared.preferred_batch_size, default=self.max_rows)
        return BatchBudget(
            max_rows=self.max_rows,
            max_bytes=max_bytes,
            preferred_rows=min(largest, self.max_rows),
            max_delay_ms=declared.max_queue_delay_microseconds // 1000,
        )


class Models:
    """The loaded models of a worker, by name and version, and why the others failed."""

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
        self._declared = {_id_of(m): m for m in catalog.models if m.family in families}
        self._loaded: dict[str, LoadedModel] = {}
        self._failed: dict[str, str] = {}
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
        for declaration in self._declared.values():
            try:
                with _one_collection():
                    self.get(declaration.name, declaration.version)
            except ModelFailed:
                if strict:
                    raise

    def get(self, name: str, version: str) -> LoadedModel:
        """A model, loaded if need be. Raises ModelNotFound when it is not declared here, and
        ModelFailed when it could not be loaded, now or before.
        """
        model_id = f"{name}/{version}"
        found = self._known(model_id)
        if found is not None:
            return found
        with self._load_lock:
            return self._known(model_id) or self._load(model_id)

    def _known(self, model_id: str) -> LoadedModel | None:
        with self._lock:
            if model_id in self._failed:
                raise ModelFailed(not_loaded(_name_of(model_id), self._failed[model_id]))
            return self._loaded.get(model_id)

    def retry(self, declaration: ModelDeclaration) -> None:
        """Try a model that failed again, as it is declared now."""
        model_id = _id_of(declaration)
        with self._lock:
            before = self._failed.pop(model_id, None)
        if before is None:
            return
        try:
            if declaration.task != self._declared[model_id].task:
                self.fail(model_id, "its task is another one now: restart the fleet")
                return
            self._declared[model_id] = declaration
            self.get(declaration.name, declaration.version)
        except ModelFailed:
            pass  # noted
        except Unavailable as error:
            self.fail(model_id, error.message)

    def fail(self, model_id: str, reason: str) -> ModelFailed:
        """Note and log why a model cannot be loaded. Answers the error that its jobs get."""
        with self._lock:
            self._failed[model_id] = reason
        error = ModelFailed(not_loaded(_name_of(model_id), reason))
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
    def loading(self) -> list[str]:
        """Ids of the models that are still to be loaded."""
        with self._lock:
            return [i for i in self._declared if i not in self._loaded and i not in self._failed]

    def batch_budgets(self, max_bytes: int) -> Mapping[str, BatchBudget]:
        """What a batch of each loaded model may hold, by `Group.model_id`, for the next claim.

        The rows that fit may change at any time, but rarely do: to make all budgets anew would be
        a third of a claim with 37 models.
        """
        loaded, refused = list(self), self._refused
        now = [model.max_rows for model in loaded], refused
        known, budgets = self._budgets
        if now != known:
            budgets = {
                **dict.fromkeys(sorted(refused), BatchBudget(_REFUSED_ROWS, max_bytes)),
                **{model.group_model_id: model.batch_budget(max_bytes) for model in loaded},
            }
            self._budgets = now, budgets
        return budgets

    def notes(self) -> dict[str, str]:
        """What an operator should know of how models are served, by name:version."""
        served = {f"{m.declaration.name}:{m.declaration.version}": m.backend for m in self}
        return {name: note for name, backend in served.items() if (note := backend.company.note)}

    def close(self) -> None:
        """Close every backend."""
        with self._lock:
            for model in self._loaded.values():
                model.backend.close()
            self._loaded.clear()

    def _load(self, model_id: str) -> LoadedModel:
        """Load a model. Raises ModelFailed, which is remembered."""
        if model_id not in self._declared:
            name, _, version = model_id.rpartition("/")
            raise ModelNotFound(f"this worker does not serve model {name!r} version {version!r}")
        declaration = self._declared[model_id]
        try:
            with self._watched(model_id):
                loaded = LoadedModel(
                    declaration,
                    get_task(declaration.task),
                    self._warm_backend(declaration),
                    self._budget(declaration),
                )
        except (Stopped, Unavailable):
            raise
        except (Exception, SystemExit) as error:  # a folder's own code may exit
            log.debug("model %s does not load", model_id, exc_info=True)
            reason = _reason(error)
        else:
            with self._lock:
                self._loaded[model_id] = loaded
            return loaded
        # Only now is the trace gone, which holds what was loaded so far.
        gc.collect()
        raise self.fail(model_id, reason)

    def _warm_backend(self, declaration: ModelDeclaration) -> Backend:
        faults = [
            fault.text
            for fault in check_model(declaration, handler_dir=self._handler_dir)
            if fault.is_error
        ]
        if faults:
            raise ModelRefused("; ".join(faults))
        started = time.monotonic()
        parameters = dict(declaration.parameters)
        if declaration.backend == "handler" or "adapter" in parameters:
            # The operator's word, never a declaration's.
            parameters["handler_dir"] = self._handler_dir
        backend = create_backend(
            declaration.backend,
            declaration.task,
            declaration.source,
            device=self._device,
            **parameters,
        )
        try:
            backend.load()
            loaded_s = time.monotonic() - started
            backend.warm_up()
        except BaseException:
            with contextlib.suppress(Exception):
                backend.close()
            raise
        log.info(
            "model %s: loaded in %.1f s, warm in %.1f s",
            declaration.name,
            loaded_s,
            time.monotonic() - started - loaded_s,
        )
        if backend.company.note:
            log.warning("model %s: %s", declaration.name, backend.company.note)
        return backend


@contextlib.contextmanager
def _one_collection() -> Iterator[None]:
    """Look for garbage once, at the end, and never again at what is left: models are here to stay.

    The collector would look a dozen times while a runtime is imported, at ever more: a seventh of
    the time that it takes.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def _id_of(declared: ModelDeclaration) -> str:
    return Group(declared.family, declared.name, declared.version).model_id


def _name_of(model_id: str) -> str:
    return model_id.rpartition("/")[0]


def _reason(error: BaseException) -> str:
    """One line that says why a model does not load."""
    text = " ".join(str(error).split("\n", 1)[0].split())
    if isinstance(error, ModelRefused | WherryError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
