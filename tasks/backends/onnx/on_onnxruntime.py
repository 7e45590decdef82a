from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from ...base import Task
from ..base import Backend
from ..device import Device
from .runtime import Runtime
from .session import OnnxRuntime


class OnOnnxRuntime(Backend):
    """What backends of graphs take that run them on ONNX Runtime.

    `optimization` (disabled, basic, extended, all), `session_options`, `providers` and
    `provider_options` are those of ONNX Runtime; `io_binding` binds what goes in and comes out to
    the device before a run.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        optimization: str = "",
        session_options: Mapping[str, Any] = MappingProxyType({}),
        providers: Sequence[str] = (),
        provider_options: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        io_binding: bool = False,
        **parameters: Any,  # of the backend that it is
    ) -> None:
        self.make_runtime: Callable[[], Runtime] = partial(
            OnnxRuntime,
            optimization=optimization,
            session_options=session_options,
            providers=providers,
            provider_options=provider_options,
            io_binding=io_binding,
        )
        super().__init__(task, source, device=device, **parameters)
