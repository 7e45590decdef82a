"""Sessions of ONNX Runtime that compute where they were asked to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from ..base import ModelRefused
from ..device import Device
from ..placement import place
from .bound import Bound
from .session_settings import SessionSettings

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

#: What to do where CUDA does not start.
_LIBRARIES = (
    "install the CUDA and cuDNN that it was built for: pip install 'onnxruntime-gpu[cuda,cudnn]'"
)


def runtime_place(device: Device) -> str:
    """What ONNX Runtime computes on for a worker's device: cpu or cuda:N. Raises ModelRefused.

    Its other providers (TensorRT, OpenVINO, XNNPACK) are used where `providers` names them.
    """
    kind, there = device.name.partition(":")[0], ort.get_available_providers()
    if kind not in ("cpu", "cuda"):
        return place(device, "ONNX Runtime does not compute there for Wherry", "use cuda:N")
    if kind == "cuda" and _CUDA not in there:
        fault = f"this ONNX Runtime has no {_CUDA}, only {', '.join(there)}"
        return place(device, fault, "pip install onnxruntime-gpu in the place of onnxruntime")
    return device.name


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxRuntime(SessionSettings):
    """ONNX Runtime, set as an operator wants it."""

    @property
    def told(self) -> str:
        """Its name and version."""
        return f"onnxruntime {ort.__version__}"

    def open(self, path: Path, device: Device, threads: int) -> Any:  # onnxruntime ships no types
        """A graph's session on the device. Raises ModelRefused when it cannot be there or is
        broken.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # its advice on initializers would drown a worker's log
        return open_session(path, options, device, self)


def open_session(path: Path, options: Any, device: Device, settings: SessionSettings) -> Any:
    """A session with options of its own. Raises ModelRefused."""
    settings.apply(options)
    on = runtime_place(device)
    if on == "cpu":
        session = _opened(path, options, settings.ordered({_CPU: {}}))
    else:
        session = _on_gpu(
            path, options, device, settings.ordered({_CUDA: _cuda_options(on), _CPU: {}})
        )
    unused = [name for name in settings.providers if name not in session.get_providers()]
    if unused:
        raise ModelRefused(f"{path}: ONNX Runtime could not start {', '.join(unused)}")
    return Bound(session, on) if settings.io_binding else session


def _on_gpu(path: Path, options: Any, device: Device, providers: list[Any]) -> Any:
    fault = f"ONNX Runtime could not start {_CUDA}"
    try:
        session = _session(path, options, providers)
    except Exception as error:
        # Of a broken file it says so on the CPU too.
        session, fault = _opened(path, options, [_CPU]), f"{fault} ({_first_line(error)})"
    check_place(session, device, fault)
    return session


def check_place(session: Any, device: Device, fault: str = "") -> None:
    """Compare what a session computes on with what was asked for. Raises ModelRefused.

    A runtime built for CUDA whose libraries are not there says so on standard error alone.
    """
    if runtime_place(device) != "cpu" and _CUDA not in session.get_providers():
        place(device, fault or f"ONNX Runtime could not start {_CUDA}", _LIBRARIES)


def _opened(path: Path, options: Any, providers: list[Any]) -> Any:
    try:
        return _session(path, options, providers)
    except Exception as error:  # the runtime's exceptions share no other base
        raise ModelRefused(f"{path}: ONNX Runtime cannot open it: {_first_line(error)}") from error


def _session(path: Path, options: Any, providers: list[Any]) -> Any:
    # Left to itself, it goes on on the CPU when CUDA fails, now or later, and prints that.
    return ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)


def _cuda_options(on: str) -> dict[str, Any]:
    # The default arena doubles at each growth; asking for what is needed keeps others alive.
    return {
        "device_id": int(on.partition(":")[2] or 0),
        "arena_extend_strategy": "kSameAsRequested",
    }


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
