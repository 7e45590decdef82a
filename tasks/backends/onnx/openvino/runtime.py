"""OpenVINO, set as an operator wants it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...base import ModelRefused
from ...device import Device
from ...placement import place
from .library import openvino as ov
from .session import OpenVinoSession

#: What each precision asks for. By itself OpenVINO computes in bfloat16 where the CPU has units for
#: it, and in 8 bits what a graph keeps in 8 bits.
_PRECISIONS: Mapping[str, Mapping[str, Any]] = {
    "exact": {
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "ACCURACY",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        "KV_CACHE_PRECISION": "f32",
    },
    "fast": {"EXECUTION_MODE_HINT": "PERFORMANCE"},
}

#: One batch at a time has all threads, on whichever cores are free: pinned, the threads of several
#: workers would share the first ones.
_ALWAYS: Mapping[str, Any] = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": 1,
    "ENABLE_CPU_PINNING": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVino:
    """OpenVINO on the CPU. Raises ModelRefused for a precision that is none.

    `precision` is exact, float32, or fast; `runtime_options` are properties of OpenVINO's CPU
    plugin, and have the last word; in `cache_dir` it keeps what it made of graphs, so that they
    load sooner the next time. `look` looks at a graph before it is compiled: what it finds is the
    session's `seen`, and it may raise ModelRefused.
    """

    precision: str = "exact"
    runtime_options: Mapping[str, Any] = field(default_factory=dict)
    cache_dir: str = ""
    look: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        if self.precision not in _PRECISIONS:
            known = " or ".join(_PRECISIONS)
            raise ModelRefused(f"precision {self.precision!r}: use {known}")

    @property
    def told(self) -> str:
        """Its name and version."""
        version, _, _ = ov.__version__.partition("-")
        return f"openvino {version}"

    def open(self, path: Path, device: Device, threads: int) -> OpenVinoSession:
        """A file's session. Raises ModelRefused when it cannot be on the device or is broken."""
        if device.name != "cpu":
            place(device, "OpenVINO computes on the CPU for Wherry", "use backend onnxruntime")
        core, options = _core(), self._options(threads)
        known = core.get_property("CPU", "SUPPORTED_PROPERTIES")
        unknown = [n for n in self.runtime_options if n not in known and not n.startswith("CPU_")]
        if unknown:
            raise ModelRefused(f"runtime_options: OpenVINO's CPU knows no {', '.join(unknown)}")
        try:
            fresh = [_read(core, path)]  # let go once it is compiled: it holds weights, too
            metadata = _metadata(fresh[0])
            seen = self.look(fresh[0]) if self.look else None
            return OpenVinoSession(
                lambda: core.compile_model(
                    fresh.pop() if fresh else _read(core, path), "CPU", options
                ),
                metadata,
                seen,
            )
        except ModelRefused as refused:
            raise ModelRefused(f"{path}: {refused}") from None
        except Exception as error:  # its readers' share no other base
            raise ModelRefused(f"{path}: OpenVINO cannot open it: {_said(error)}") from error

    def _options(self, threads: int) -> dict[str, Any]:
        cache = {"CACHE_DIR": self.cache_dir} if self.cache_dir else {}
        own = {**_ALWAYS, **_PRECISIONS[self.precision], "INFERENCE_NUM_THREADS": threads, **cache}
        return {**own, **self.runtime_options}


@functools.cache
def _core() -> Any:
    """OpenVINO itself, which a process that has it keeps.

    It gives the thread that compiles a stack for its signals. Gone by another thread, it takes the
    memory back and leaves the address: the next signal, be it SIGTERM, would end the process.
    """
    return ov.Core()


def _read(core: Any, path: Path) -> Any:
    """A file as OpenVINO's model. Left to choose a reader, it tries those of all frameworks."""
    if path.suffix == ".xml":
        return core.read_model(path)
    reader = ov.frontend.FrontEndManager().load_by_framework("onnx")
    return reader.convert(reader.load(str(path)))


def _metadata(model: Any) -> dict[str, str]:
    """What the exporter wrote down, such as the names of classes."""
    written = dict(model.get_rt_info()).get("framework", {})
    return {str(name): str(value.value) for name, value in written.items()}


def _said(error: Exception) -> str:
    """What went wrong, without where in OpenVINO's own source."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [
        line for line in lines if line and not line.startswith(("Exception from", "Check '"))
    ]
    return "; ".join(telling) or type(error).__name__
