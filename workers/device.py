"""Which device a worker computes on, settled before torch is imported."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

#: What there is where a GPU may be that nvidia-smi does not list: containers without the tool, WSL,
#: Jetson, AMD.
_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap", "/dev/kfd")


class NoSuchGpuError(ValueError):
    """A GPU was named that this machine has not."""


def list_gpus() -> list[int]:
    """Indices of this machine's NVIDIA GPUs; empty without a driver. Loads no CUDA."""
    listing = _nvidia_smi("-L")
    return [int(index) for index in re.findall(r"^GPU (\d+):", listing, flags=re.MULTILINE)]


def kind(device: str, environ: Mapping[str, str] = os.environ) -> str:
    """What a pinned device is, with its memory: `NVIDIA H200, 143771 MiB`, or `cpu, 24 GiB`.

    Devices of one kind bear the same batches. What cannot be told is left out.
    """
    if device == "cpu":
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return f"cpu, {memory >> 30} GiB"
    visible = environ.get("CUDA_VISIBLE_DEVICES", "0")
    told = _nvidia_smi(f"--id={visible}", "--query-gpu=name,memory.total", "--format=csv,noheader")
    return told.strip() or "cuda"


def gpu_fields(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Of this process's GPU the uuid, the share of time in percent that it computed, and MiB of its
    memory that are taken and there in all, as the driver's tool prints them; none without one.
    """
    visible = environ.get("CUDA_VISIBLE_DEVICES", "0")
    asked = "--query-gpu=uuid,utilization.gpu,memory.used,memory.total"
    told = _nvidia_smi(f"--id={visible}", asked, "--format=csv,noheader,nounits").strip()
    return [field.strip() for field in told.split(",")] if told else []


def free_bytes(device: str) -> int | None:
    """Memory that a device has to give now; None where that cannot be told."""
    if device != "cpu":
        number = device.partition(":")[2]
        asked = ("--query-gpu=memory.free", "--format=csv,noheader,nounits")
        told = _nvidia_smi(f"--id={number}", *asked).strip()
        return int(told) << 20 if told.isdecimal() else None
    found = re.search(r"^MemAvailable: +(\d+) kB", _read("/proc/meminfo"), flags=re.MULTILINE)
    if found is None:
        return None
    free = int(found[1]) << 10
    limit, used = _read("/sys/fs/cgroup/memory.max"), _read("/sys/fs/cgroup/memory.current")
    if limit.isdecimal() and used.isdecimal():  # a container's own
        free = min(free, max(0, int(limit) - int(used)))
    return free


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _nvidia_smi(*arguments: str) -> str:
    """What the driver's own tool prints; nothing without a driver."""
    try:
        return subprocess.run(
            ["nvidia-smi", *arguments],  # noqa: S607 # where the driver installs it, on PATH
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def resolve(
    device: str,
    number: int = 0,
    gpus: Callable[[], list[int]] = list_gpus,
    *,
    drivers: Iterable[str] = _DRIVERS,
) -> str:
    """Settle which device a worker takes. `auto` is worker `number`'s share: auto:N, where N is GPU
    `number` modulo their count, or the CPU. It stays auto, so that a runtime that cannot use the
    GPU may take the CPU; a device that was named is used or refused.

    Raises ValueError for anything but auto, cpu, cuda and cuda:N, NoSuchGpuError for a GPU that is
    not there.
    """
    found = re.fullmatch(r"(?:(auto)|cuda)(?::(\d+))?", device)
    if device == "cpu":
        return device
    if found is None:
        raise ValueError(f"device {device!r}: use cpu, cuda, cuda:N or auto")
    there, wanted = gpus(), int(found[2] or 0)
    if found[1]:
        share = wanted if found[2] else number
        return f"auto:{there[share % len(there)]}" if there else "cpu"
    if there and wanted not in there:
        names = ", ".join(f"cuda:{gpu}" for gpu in there)
        raise NoSuchGpuError(
            f"device {device!r}: this machine has {names}; use one of them or auto"
        )
    # Without the driver's tool nobody can tell yet; the model's runtime will.
    if not there and not any(Path(driver).exists() for driver in drivers):
        raise NoSuchGpuError(f"device {device!r}: this machine has no GPU; use cpu or auto")
    return f"cuda:{wanted}"


def pin(device: str, environ: dict[str, str] | None = None) -> str:
    """Let this process see only its device. Answers the name that the device has from then on."""
    environment = os.environ if environ is None else environ
    if device == "cpu":
        # A CPU worker beside GPU workers must not open a CUDA context by accident.
        environment.setdefault("CUDA_VISIBLE_DEVICES", "")
        return "cpu"
    environment["CUDA_VISIBLE_DEVICES"] = device.partition(":")[2]
    return "cuda:0"
