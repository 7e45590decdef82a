"""Which device a worker computes on, settled before torch is imported."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path


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


def free_bytes(device: str) -> int | None:
    """Memory that a device has to give now; None where that cannot be told."""
    if device != "cpu":
        number = device.removeprefix("cuda:")
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


def resolve(device: str, number: int = 0, gpus: Callable[[], list[int]] = list_gpus) -> str:
    """Turn `auto` into a device: worker `number` takes GPU `number` modulo their count, or the CPU.

    Raises ValueError for anything but auto, cpu, cuda and cuda:N.
    """
    if device == "auto":
        found = gpus()
        return f"cuda:{found[number % len(found)]}" if found else "cpu"
    if device == "cuda":
        return "cuda:0"
    if device != "cpu" and not re.fullmatch(r"cuda:\d+", device):
        raise ValueError(f"device {device!r}: use cpu, cuda, cuda:N or auto")
    return device


def pin(device: str, environ: dict[str, str] | None = None) -> str:
    """Let this process see only its device. Answers the name that the device has from then on."""
    environment = os.environ if environ is None else environ
    if device == "cpu":
        # A CPU worker beside GPU workers must not open a CUDA context by accident.
        environment.setdefault("CUDA_VISIBLE_DEVICES", "")
        return "cpu"
    environment["CUDA_VISIBLE_DEVICES"] = device.removeprefix("cuda:")
    return "cuda:0"
