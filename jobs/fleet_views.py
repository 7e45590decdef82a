"""Groups and workers as an operator sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .group import Group


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as an operator sees it."""

    group: Group
    waiting: int
    running: int
    oldest_s: float
    jobs_per_s: float
    batch_fill: float
    #: What its tenant's flow gets, in proportion to the others'.
    weight: float = 1.0
    #: Seconds of device time that its jobs took in a second, over the last minute.
    device_s_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as an operator sees it; `info` is what its heartbeat carries."""

    id: str
    alive: bool
    running: int
    info: Mapping[str, object] = field(default_factory=dict)

    def serves(self, model_id: str) -> bool:
        """Whether it says that it takes jobs of a model, by `Group.model_id`.

        Workers of older versions say so by the model's name.
        """
        if "served" in self.info:
            return model_id in self._listed("served")
        return model_id.rpartition("/")[0] in self._listed("models")

    @property
    def served(self) -> Sequence[str]:
        """The models that it takes jobs of, by `Group.model_id`; none for an older version."""
        return [str(model_id) for model_id in self._listed("served")]

    @property
    def busy_share(self) -> float | None:
        """Which share of the last minute its device computed; None for an older version."""
        return self._number("busy_share")

    @property
    def batch_fill(self) -> float | None:
        """Rows over places in its batches of the last minute; None without any, or an older one."""
        return self._number("batch_fill")

    @property
    def node(self) -> str:
        """Its Celery node name: one that is started again bears it, too."""
        return str(self.info.get("node") or self.id.rpartition("#")[0] or self.id)

    @property
    def version(self) -> str:
        """The version of Wherry that it runs; "" for one before versions were told."""
        return str(self.info.get("version", ""))

    def has_warm(self, model_id: str) -> bool:
        """Whether it serves a model that it has loaded."""
        return self.serves(model_id) and model_id not in self._listed("asleep")

    def heeded(self, model: str) -> int | None:
        """The last request to load a model that it heeded; None for an older version, with ALL."""
        count = self._mapped("load_heeded").get(model)
        return count if isinstance(count, int) else None

    @property
    def mixes(self) -> bool:
        """Whether it runs jobs of different parameters in one batch: older versions do not."""
        return self.info.get("mixes") is True

    def loads(self, model_id: str) -> bool:
        """Whether it is still to load a model."""
        return model_id in self._listed("loading")

    @property
    def failed(self) -> Mapping[str, str]:
        """Why, by `Group.model_id`, for the models that it could not load."""
        return self._mapped("failed")

    @property
    def away(self) -> Mapping[str, str]:
        """Why, by `Group.model_id`, for the remote models that answer it nothing now."""
        return self._mapped("away")

    @property
    def load_ms(self) -> Mapping[str, int]:
        """How long it should take, by `Group.model_id`, to load each model that sleeps there."""
        return self._mapped("load_ms")

    @property
    def model_bytes(self) -> Mapping[str, int]:
        """What each model that it has loaded takes of its memory, by `Group.model_id`."""
        return self._mapped("model_bytes")

    @property
    def outdated(self) -> Mapping[str, str]:
        """Why, by `Group.model_id`, for the models that it serves as they were declared before."""
        return self._mapped("outdated")

    def _mapped(self, name: str) -> Mapping[str, Any]:
        told = self.info.get(name)
        return told if isinstance(told, dict) else {}

    def _number(self, name: str) -> float | None:
        told = self.info.get(name)
        return float(told) if isinstance(told, (int, float)) else None

    def _listed(self, name: str) -> Sequence[object]:
        told = self.info.get(name)
        return told if isinstance(told, list) else ()

    @property
    def why_waiting(self) -> str:
        """Why it serves nothing though it could; "" when it serves, ends, or is none of ours."""
        idle = self.info.get("state") in ("waiting", "loading", "draining")
        return str(self.info.get("reason", "")) if idle else ""
