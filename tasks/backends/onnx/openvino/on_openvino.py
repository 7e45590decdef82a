from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from ....base import Task
from ...base import Backend
from ...device import Device
from ..runtime import Runtime
from .runtime import OpenVino


class OnOpenVino(Backend):
    """What backends of graphs take that run them on OpenVINO.

    `precision` is exact, float32 whatever the CPU has, or fast: as OpenVINO chooses, bfloat16 where
    the CPU has units for it. `runtime_options` are properties of OpenVINO's CPU plugin, and have
    the last word. In the folder `cache_dir` OpenVINO keeps what it made of graphs, so that they
    load sooner the next time; empty keeps nothing.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        precision: str = "exact",
        runtime_options: Mapping[str, Any] = MappingProxyType({}),
        cache_dir: str = "",
        **parameters: Any,  # of the backend that it is
    ) -> None:
        self.make_runtime: Callable[[], Runtime] = partial(
            OpenVino,
            precision=precision,
            runtime_options=runtime_options,
            cache_dir=cache_dir,
            look=self.look,
        )
        super().__init__(task, source, device=device, **parameters)

    @staticmethod
    def look(graph: Any) -> Any:  # noqa: ARG004 # what others look at
        """Look at a graph before it is compiled: see `OpenVino`."""
        return None
