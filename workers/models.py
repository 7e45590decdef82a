"""The models that a worker knows, and those of them that it holds, loaded and warm."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ..jobs.failed import not_loaded
from ..protocol.errors import ModelFailed, ModelNotFound, Unavailable
from ..tasks.backends.base import ModelRefused
from ..tasks.backends.device import Device
from ..tasks.base import TaskInput
from ..tasks.catalog import Catalog, ModelDeclaration
from ..tasks.files import Files
from ..tasks.tuning.tuner import Tuner
from ..telemetry.worker_metrics import model_failed, model_loaded
from .budget import ShapeBudget, declared_budget
from .known_models import KnownModels, name_and_version
from .loaded_model import LoadedModel, files_of, model_id_of
from .memory import Memory, resident_bytes
from .tuning import tuned_backend
from .warming import free_memory, one_collection, reason_of

log = logging.getLogger(__name__)

#: Seconds between two looks whether a model may make room.
_LOOK_AGAIN_S = 0.05


class Stopped(SystemExit):
    """The process was told to end while it loaded: no model's fault."""


class Models(KnownModels):
    """The models of a worker, loaded and put away as there is need and room."""

    def __init__(
        self,
        catalog: Catalog,
        families: Collection[str],
        device: Device,
        *,
        handler_dir: str = "",
        budget: Callable[[ModelDeclaration], ShapeBudget[TaskInput]] = declared_budget,
        watched: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
        memory: Memory | None = None,
        tuner: Tuner | None = None,
    ) -> None:
        super().__init__(catalog, families, memory or Memory())
        self._tuner = tuner or Tuner(Path(), device, "", is_on=False)
        self._device, self._budget, self._handler_dir = device, budget, handler_dir
        #: Entered, with the model's id, around each load; may raise ModelRefused.
        self._watched = watched
        #: A load takes minutes; one at a time.
        self._load_lock = threading.Lock()

    def load_all(self, *, strict: bool = False, told: Callable[[], None] = lambda: None) -> None:
        """Load and warm every declared model, so that no job pays for the first forward.

        One that cannot be loaded is left out; with `strict` it raises ModelFailed. Those that there
        is no room for sleep; pinned ones come first. `told` is called before each.
        """
        for model_id in self.loading:
            told()
            declared = self._known[model_id]
            if not declared.pinned and self._memory.lacks(self._memory.expected(declared), self):
                self.let_sleep({model_id})
                continue
            try:
                with one_collection():
                    model = self.get(*name_and_version(model_id))
                    model.is_awaited = False
            except ModelFailed:
                if strict:
                    raise
            else:
                if self._memory.lacks(0, self) and not declared.pinned:
                    self.put_away({model_id})

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
                    model.used_at_s = time.monotonic()
                    return model

    def give_back(self, model: LoadedModel) -> None:
        """End what `borrow` began."""
        with self._lock:
            model.users -= 1
            model.runs += 1
            model.used_at_s = time.monotonic()
            over = model.is_put_away and not model.users
        if over:
            _close(model)

    def take(self, catalog: Catalog, names: Collection[str] | None = None) -> None:
        """Serve what a catalog says now of the models of these names, or of all.

        What is changed is loaded; the one before is served meanwhile, and after it if the new one
        cannot be loaded. What is declared no more is leaving. What is new is loaded at once if it
        was named or is another version of what is loaded; else it is left to `load_all`.
        """
        said = {
            model_id_of(model): model
            for model in catalog.models
            if model.family in self._families and (names is None or model.name in names)
        }
        with self._lock:
            ours = [i for i in self._known if names is None or name_and_version(i)[0] in names]
            rest = self._asleep - self._leaving if names is None else set()
            self._leaving |= set(ours) - said.keys()
            self._leaving -= said.keys()
        for model_id, declaration in said.items():
            if self._is_accepted(model_id, declaration) and model_id not in rest:
                self._renew(model_id, declaration, at_once=names is not None)

    def _is_accepted(self, model_id: str, declaration: ModelDeclaration) -> bool:
        """Whether a model may be declared so now; then it is known so."""
        with self._lock:
            before = self._known.setdefault(model_id, declaration)
            if before.task == declaration.task:
                self._known[model_id] = declaration
                return True
            is_loaded = model_id in self._loaded
        reason = (
            f"its task was {before.task} and is {declaration.task} now: declare that with another"
            " version, or restart the fleet"
        )
        if is_loaded:
            self.keep_old(model_id, reason)
        else:
            self.fail(model_id, reason)
        return False

    def _renew(self, model_id: str, declaration: ModelDeclaration, *, at_once: bool) -> None:
        with self._lock:
            self._asleep.discard(model_id)
            self._failed.pop(model_id, None)
            loaded = self._loaded.get(model_id)
            succeeds = any(
                each.declaration.name == declaration.name for each in self._loaded.values()
            )
        if loaded is None and not (at_once or succeeds):
            return
        if loaded is None or loaded.differs_from(declaration):
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
                self.keep_old(model_id, error.message)
            return
        if before is not None:
            self._discard(before)

    def put_away(self, model_ids: Collection[str]) -> None:
        """Close models and free their memory, each once no batch runs on it."""
        for model_id in model_ids:
            with self._lock:
                self._asleep.add(model_id)
                self._turns += 1
                model = self._loaded.pop(model_id, None)
            if model is not None:
                self._discard(model)
                log.info("model %s is put away", model_id)

    def _discard(self, model: LoadedModel) -> None:
        with self._lock:
            over = not model.users and not model.is_put_away
            model.is_put_away = True
        if over:
            _close(model)

    def load_wanted(self) -> None:
        """Load the models that jobs wait for, the one that was wanted first before the others."""
        while True:
            with self._lock:
                model_id = next(iter(self._wanted), None)
            if model_id is None:
                return
            with contextlib.suppress(ModelFailed):
                self.get(*name_and_version(model_id))
            with self._lock:
                self._wanted.pop(model_id, None)

    def trim(self) -> None:
        """Put away what is beyond the bound, as far as it may go now."""
        while self._memory.lacks(0, self) and (model := self._memory.next_to_go(self)):
            self.put_away({model.group_model_id})

    def _make_room(self, declaration: ModelDeclaration, before: LoadedModel | None) -> None:
        """Put away what was used least lately; the model's own predecessor last of all.

        Raises ModelRefused where there can be no room.
        """
        need = self._memory.expected(declaration)
        while self._memory.lacks(need, loaded := list(self)):
            pinned = [m for m in loaded if m.declaration.pinned and m is not before]
            if why := self._memory.why_never(need, pinned):
                raise ModelRefused(why)
            spared = [] if before is None else [before]
            model = self._memory.next_to_go(loaded, spared)
            if model is None and len(loaded) == len(pinned) + len(spared):
                model = before
            if model is None:  # each is to run its jobs first
                time.sleep(_LOOK_AGAIN_S)
                continue
            self.put_away({model.group_model_id})
            model.closed.wait()

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
            name, version = name_and_version(model_id)
            raise ModelNotFound(f"this worker does not serve model {name!r} version {version!r}")
        files = files_of(declaration)
        try:
            with self._watched(model_id):
                self._make_room(declaration, instead_of)
                began_s, held = time.monotonic(), resident_bytes()
                loaded = self._opened(declaration, files)
                loaded.bytes = self._memory.measured(loaded, resident_bytes() - held)
        except (Stopped, Unavailable):
            raise
        except (Exception, SystemExit) as error:  # a folder's own code may exit
            log.debug("model %s does not load", model_id, exc_info=True)
            reason = reason_of(error)
            model_failed(declaration.name)
        else:
            loaded.loaded_at_s = loaded.used_at_s = time.monotonic()
            loaded.is_awaited = True
            loaded.load_s = self._load_s[model_id] = loaded.loaded_at_s - began_s
            model_loaded(declaration.name, loaded.load_s)
            with self._lock:
                self._loaded[model_id] = loaded
                self._turns += 1
                self._asleep.discard(model_id)
                self._outdated.pop(model_id, None)
            return loaded
        # Only now is the trace gone, which holds what was loaded so far.
        gc.collect()
        if instead_of is not None and not instead_of.is_put_away:
            self.keep_old(model_id, reason)
            raise ModelFailed(not_loaded(declaration.name, reason))
        raise self.fail(model_id, reason)

    def _opened(self, declaration: ModelDeclaration, files: Files) -> LoadedModel:
        backend, verdict = tuned_backend(declaration, self._device, self._handler_dir, self._tuner)
        budget = self._budget(declaration)
        return LoadedModel(declaration, backend.task, backend, budget, files, verdict)


def _close(model: LoadedModel) -> None:
    model.backend.close()
    free_memory()
    model.closed.set()
