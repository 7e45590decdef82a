"""A bulk run whose every part is killed three times: its output is that of an undisturbed one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wherry.ops.stack import Stack

from ..support.models import model
from .ledger import Ledger

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

#: Rows of the source and kills of each part: in the full form, and in the short one.
FULL, SHORT = (20_000, 3), (7_000, 1)

#: Some rows are refused, and some are written twice.
MODELS = model("busy", "embedding", max_batch_size=32, delay_per_row_s=0.002, reject_on="REJECT")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    models = tmp_path / "models.toml"
    models.write_text(MODELS)
    env = {"WHERRY_LEASE_TTL_S": "3"}
    with Stack(
        models=models, data_dir=tmp_path, flower=False, workers_per_family=2, env=env
    ) as stack:
        yield stack


@pytest.fixture
def size(full: bool) -> tuple[int, int]:
    return FULL if full else SHORT


@pytest.fixture
def source(tmp_path: Path, size: tuple[int, int]) -> Path:
    path = tmp_path / "rows.jsonl"
    with path.open("w") as rows:
        for number in range(size[0]):
            text = f"row {number // 2 if number % 100 == 1 else number}"
            if number % 1000 == 500:
                text += " REJECT"
            rows.write(json.dumps({"id": f"r{number}", "text": text}) + "\n")
    return path


class Annotating:
    """The command, started again whenever it has ended early."""

    def __init__(self, stack: Stack, source: Path, out: Path) -> None:
        self._command = [
            *(sys.executable, "-m", "wherry.ops.cli", "annotate", str(source)),
            *("--model", "busy", "--out", str(out), "--url", stack.url, "--json"),
        ]
        self.starts = 0
        self._start()

    def _start(self) -> None:
        self.starts += 1
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._start()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def summary(self) -> dict[str, int]:
        told, _ = self._process.communicate(timeout=300)
        assert self._process.returncode == 1, "some rows failed, as they should"
        found: dict[str, int] = json.loads(told)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def annotating(stack: Stack, source: Path) -> Iterator[Callable[[Path], Annotating]]:
    made: list[Annotating] = []

    def make(out: Path) -> Annotating:
        made.append(Annotating(stack, source, out))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_the_output_is_that_of_an_undisturbed_run(
    stack: Stack,
    annotating: Callable[[Path], Annotating],
    tmp_path: Path,
    size: tuple[int, int],
    chance: random.Random,
    faults: Ledger,
) -> None:
    count, kills = size
    run = annotating(tmp_path / "killed.csv")

    def kill_redis() -> None:
        assert stack.redis is not None
        os.kill(stack.redis.pid, signal.SIGKILL)

    parts: list[Callable[[], None]] = [
        run.kill,
        lambda: stack.children["api"].signal(signal.SIGKILL),
        lambda: stack.worker("text", chance.randrange(2)).signal(signal.SIGKILL),
        kill_redis,
    ]
    orders = parts * kills
    chance.shuffle(orders)
    for kill in orders:
        time.sleep(chance.uniform(1.0, 2.5))
        assert not run.ended, "it was over before all was killed: use more rows"
        kill()
    killed = run.summary()
    whole = annotating(tmp_path / "whole.csv").summary()
    faults.record(
        fault="annotate, API, worker or Redis killed under a bulk run",
        injected=len(orders),
        jobs=count,
        lost=whole["rows"] - killed["rows"],
        duplicated=len((tmp_path / "killed.csv").read_bytes().splitlines())
        - len((tmp_path / "whole.csv").read_bytes().splitlines()),
    )
    assert run.starts == kills + 1
    failed = count // 1000
    assert (killed["rows"], killed["failed"]) == (whole["rows"], whole["failed"]) == (count, failed)
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    errors = "csv.errors.jsonl"
    killed_errors = (tmp_path / f"killed.{errors}").read_bytes()
    assert killed_errors == (tmp_path / f"whole.{errors}").read_bytes()
