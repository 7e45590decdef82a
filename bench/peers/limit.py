"""The limit: a workload in one plain loop, one process: `python -m bench.peers.limit FOLDER`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from .workloads import workload


def rate(name: str, model: str, folder: Path) -> float:
    """Rows per second of the loop over a folder's files, in a fresh process."""
    env = {**os.environ, "WORKLOAD": name, "MODEL": model, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "bench.peers.limit", str(folder)],
        check=True,
        capture_output=True,
        text=True,
        env=env,
    )
    return float(done.stdout.splitlines()[-1])


def _loop(folder: str) -> float:
    rows = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    model = workload()
    model.answer([model.decode(row) for row in rows[: model.batch]])
    started = time.perf_counter()
    for start in range(0, len(rows), model.batch):
        model.answer([model.decode(row) for row in rows[start : start + model.batch]])
    return len(rows) / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.stdout.write(f"{_loop(sys.argv[1])}\n")
