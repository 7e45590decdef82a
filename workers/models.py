"""The models that a worker holds, loaded and warm."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from ..jobs.claim import BatchBudget
from ..jobs.group import Group
from ..protocol.errors import ModelNotFound
from ..tasks.backends import create_backend
from ..tasks.backends.base import Backend
from ..tasks.backends.device import Device
from ..tasks.base import Task, TaskInput
from ..tasks.catalog import Catalog, ModelDeclaration
from ..tasks.registry import get_task
from .budget import Budget, declared_budget

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LoadedModel:
    """A model ready to run, with the batch budget that its device has shown to bear."""

    declaration: ModelDeclaration
    task: Task
    backend: Backend
    budget: Budget[TaskInput]

    @property
    def group_model_id(self) -> str:
        """The model as groups name it."""
        declared = self.declaration
        return Group(declared.family, declared.name, declared.version).model_id

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
    """The loaded models of a worker, by name and version."""

    def __init__(
        self,
        catalog: Catalog,
        families: Collection[str],
        device: Device,
        *,
        handler_dir: str = "",
        budget: Callable[[ModelDeclaration], Budget[TaskInput]] = declared_budget,
    ) -> None:
        self._device, self._budget, self._handler_dir = device, budget, handler_dir
        self._declared = [m for m in catalog.models if m.family in families]
        self._loaded: dict[tuple[str, str], LoadedModel] = {}
        self._lock = threading.Lock()
        #: Rows that a batch of each loaded model may hold, and the budgets made from them.
        self._budgets: tuple[list[int], Mapping[str, BatchBudget]] = ([], {})

    def load_all(self) -> None:
        """Load and warm every declared model, so that no job pays for the first forward."""
        for declaration in self._declared:
            self.get(declaration.name, declaration.version)

    def get(self, name: str, version: str) -> LoadedModel:
        """A model, loaded if need be. Raises ModelNotFound when it is not declared here."""
        with self._lock:
            model = self._loaded.get((name, version))
            if model is None:
                model = self._loaded[name, version] = self._load(name, version)
            return model

    def __iter__(self) -> Iterator[LoadedModel]:
        """The models loaded now."""
        with self._lock:
            return iter(list(self._loaded.values()))

    def batch_budgets(self, max_bytes: int) -> Mapping[str, BatchBudget]:
        """What a batch of each loaded model may hold, by `Group.model_id`, for the next claim.

        The rows that fit may change at any time, but rarely do: to make all budgets anew would be
        a third of a claim with 37 models.
        """
        loaded = list(self)
        rows = [model.max_rows for model in loaded]
        known, budgets = self._budgets
        if rows != known:
            budgets = {model.group_model_id: model.batch_budget(max_bytes) for model in loaded}
            self._budgets = rows, budgets
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

    def _load(self, name: str, version: str) -> LoadedModel:
        found = [d for d in self._declared if (d.name, d.version) == (name, version)]
        if not found:
            raise ModelNotFound(f"this worker does not serve model {name!r} version {version!r}")
        declaration, started = found[0], time.monotonic()
        parameters = dict(declaration.parameters)
        if declaration.backend == "handler":  # the operator's word, never a declaration's
            parameters["handler_dir"] = self._handler_dir
        backend = create_backend(
            declaration.backend,
            declaration.task,
            declaration.source,
            device=self._device,
            **parameters,
        )
        backend.load()
        loaded_s = time.monotonic() - started
        backend.warm_up()
        log.info(
            "model %s: loaded in %.1f s, warm in %.1f s",
            name,
            loaded_s,
            time.monotonic() - started - loaded_s,
        )
        if backend.company.note:
            log.warning("model %s: %s", name, backend.company.note)
        return LoadedModel(
            declaration, get_task(declaration.task), backend, self._budget(declaration)
        )
