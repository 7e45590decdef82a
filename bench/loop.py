"""A model in a plain loop: rows in batches, one after the other, alone in a process.

The process stays, and is asked for one round at a time: to import a runtime and to load a model
takes longer than a round.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.create import create_task

from .rows import rows_of


@dataclass(frozen=True, slots=True)
class Round:
    """What one round reached."""

    rows_per_s: float
    #: Milliseconds of CPU a row.
    cpu_ms: float


class Loop:
    """The process, as its starter sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def wait_until_ready(self) -> None:
        """Wait until its model is loaded. Raises RuntimeError where it is not."""
        self._read()

    def round(self) -> Round:
        """Run all rows once. Raises RuntimeError where they fail."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Round(**json.loads(self._read()))

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a loop ended with status {self._process.wait()}")
        return line


@contextlib.contextmanager
def looping(declared: ModelDeclaration, count: int, batch: int) -> Iterator[Loop]:
    """A loop over so many rows of a model that names its backend."""
    told = {"declared": declared.model_dump(mode="json"), "count": count, "batch": batch}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.loop"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        yield Loop(process)
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Load what standard input says, and run a round for each further line."""
    # Libraries print what they like: only lines of ours go to the starter.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    told = json.loads(sys.stdin.readline())
    declared, batch = ModelDeclaration.model_validate(told["declared"]), told["batch"]
    rows = rows_of(declared.task, told["count"])
    backend = create_task(
        declared.backend, declared.task, declared.source, dict(declared.parameters)
    ).backend
    backend.run(rows[:batch])
    out.write("ready\n")
    out.flush()
    for _ in sys.stdin:
        began, spent = time.perf_counter(), time.process_time()
        for start in range(0, len(rows), batch):
            backend.run(rows[start : start + batch])
        took, cpu_s = time.perf_counter() - began, time.process_time() - spent
        reached = {"rows_per_s": len(rows) / took, "cpu_ms": 1000 * cpu_s / len(rows)}
        out.write(json.dumps(reached) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
