"""How long a worker takes to load a model that was tuned before, to one that names transformers."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from wherry.tasks.backends.device import Device
from wherry.tasks.models_file import load_catalog
from wherry.workers.models import Models
from wherry.workers.settings import WorkerSettings
from wherry.workers.tuning import open_tuner


def starts(auto: Path, named: Path, tuned: Path, rounds: int) -> dict[str, float]:
    """Hold the models of one file against those of another, in turns."""
    pairs = [(_started(auto, tuned), _started(named, tuned)) for _ in range(rounds)]
    return {
        "auto_s": round(statistics.median(one[0] for one, _ in pairs), 2),
        "named_s": round(statistics.median(other[0] for _, other in pairs), 2),
        "ratio": _ratio([(one[0], other[0]) for one, other in pairs]),
        "cpu_ratio": _ratio([(one[1], other[1]) for one, other in pairs]),
    }


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return round(statistics.median(one / other for one, other in pairs), 3)


def _started(models: Path, tuned: Path) -> tuple[float, float]:
    """Seconds, and seconds of CPU, of a process that loads models as a worker does."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "bench.tuned_start", str(models)],
        check=True,
        capture_output=True,
        env={**os.environ, "WHERRY_TUNED_DIR": str(tuned)},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu_s


def _start(models: Path) -> None:
    """Load as a worker does."""
    catalog, device = load_catalog(models), Device()
    tuner = open_tuner(WorkerSettings(), device)
    Models(catalog, set(catalog.families()), device, tuner=tuner).load_all(strict=True)


if __name__ == "__main__":
    _start(Path(sys.argv[1]))
