"""What models take of a worker's memory, and which make room for others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ..tasks.catalog import ModelDeclaration
from ..tasks.check import weigh
from .loaded_model import LoadedModel, model_id_of

#: Seconds after which a model that was waited for, and that no job came to, may make room again.
_UNUSED_S = 10.0


class Memory:
    """A bound on what loaded models may take together; 0 for none.

    A model's bytes are those of its weights, as its runtime counts them, or where it does not, what
    the process grew by as it was loaded. Before the first load they are taken from its files.
    """

    def __init__(self, most_bytes: int = 0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most_bytes, clock
        #: Bytes of models that were loaded here before, by `Group.model_id`.
        self._measured: dict[str, int] = {}

    @property
    def is_bounded(self) -> bool:
        """Whether there is a bound."""
        return self._most > 0

    def measured(self, model: LoadedModel, grown: int) -> int:
        """A model's bytes, now that it is loaded and the process grew by so many."""
        told = model.backend.facts().bytes
        found = told or max(grown, weigh(model.declaration))
        self._measured[model.group_model_id] = found
        return found

    def expected(self, declaration: ModelDeclaration) -> int:
        """A model's bytes before it is loaded, as far as that can be told."""
        return self._measured.get(model_id_of(declaration)) or weigh(declaration)

    def lacks(self, need: int, loaded: Iterable[LoadedModel]) -> bool:
        """Whether so much more does not fit beside what is loaded."""
        return self.is_bounded and sum(model.bytes for model in loaded) + need > self._most

    def why_never(self, need: int, pinned: Iterable[LoadedModel]) -> str:
        """Why so much does not fit even where all that can has made room; "" if it does."""
        taken = sum(model.bytes for model in pinned)
        if not self.is_bounded or taken + need <= self._most:
            return ""
        beside = f" beside {_mib(taken)} of pinned models" if taken else ""
        return (
            f"it takes {_mib(need)} of memory, and WHERRY_MAX_MODEL_BYTES allows {_mib(self._most)}"
            f"{beside}: raise it, or serve the model in a smaller dtype"
        )

    def next_to_go(
        self, loaded: Iterable[LoadedModel], spared: Collection[LoadedModel] = ()
    ) -> LoadedModel | None:
        """The model that was used least lately, of those that may go now; None where none may.

        One that was loaded for jobs has run some of them first, for as long as it took to load, or
        two that each want the other's place would only ever load.
        """
        now = self._clock()

        def may_go(model: LoadedModel) -> bool:
            if model.declaration.pinned or any(model is other for other in spared):
                return False
            age_s = now - model.loaded_at_s
            return (
                not model.is_awaited
                or (model.runs > 0 and age_s >= model.load_s)
                or age_s >= _UNUSED_S
            )

        return min(filter(may_go, loaded), key=lambda model: model.used_at_s, default=None)


def resident_bytes() -> int:
    """What this process holds of the machine's memory; 0 where that cannot be told."""
    try:
        told = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmRSS:\s+(\d+) kB", told, flags=re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
