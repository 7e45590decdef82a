"""A run over another server: the server dies, and so do the workers that wait for it."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from wherry.ops.stack import Stack

from ..support.flaky import Flaky
from ..support.models import model
from .ledger import Ledger

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

#: Rows, and kills of a worker: in the full form, and in the short one.
FULL, SHORT = (6_000, 6), (2_000, 2)

ENV = {
    "WHERRY_ENDPOINT_HOSTS": "127.0.0.1:*",
    "WHERRY_ENDPOINT_SCHEMES": "http",
    "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
    "WHERRY_LEASE_TTL_S": "3",
    # One row may be aboard of several kills by chance alone.
    "WHERRY_MAX_ATTEMPTS": "10",
}


def test_each_row_has_one_answer_when_server_and_workers_are_killed(
    tmp_path: Path, full: bool, chance: random.Random, faults: Ledger
) -> None:
    rows, kills = FULL if full else SHORT
    source, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    texts = [f"row {number}" for number in range(rows)]
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    models = tmp_path / "models.toml"
    with Flaky(tmp_path, [rows // 5, rows // 3, 0], busy_every=90, gone_s=1.0) as flaky:
        models.write_text(
            model(
                "writer",
                "text-generation",
                backend="endpoint",
                source=flaky.url,
                protocol="openai",
                model="m",
            )
        )
        with Stack(
            models=models, data_dir=tmp_path, flower=False, workers_per_family=2, env=ENV
        ) as stack:
            run = subprocess.Popen(
                [
                    *(sys.executable, "-m", "wherry.ops.cli", "annotate", str(source)),
                    *("--model", "writer", "--out", str(out), "--url", stack.url, "--json"),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                killed = _kill(stack, run, flaky, rows, kills, chance)
                assert run.wait(300) == 0
            finally:
                run.kill()
                run.wait()
        answered = Counter(flaky.answered())
    told = [json.loads(line)["text"] for line in out.read_text().splitlines()]
    wanted = [f"answer to {text}" for text in texts]
    faults.record(
        fault="endpoint's server dies, its workers are killed under a bulk run",
        injected=killed + flaky.deaths,
        jobs=rows,
        lost=len(set(wanted) - set(told)),
        duplicated=len(told) - len(set(told)),
    )
    assert flaky.deaths == 2
    assert told == wanted
    assert set(answered) == set(texts)


def _kill(
    stack: Stack,
    run: subprocess.Popen[bytes],
    flaky: Flaky,
    rows: int,
    kills: int,
    chance: random.Random,
) -> int:
    """Kill workers, spread over the run; answers how many."""
    for number in range(kills):
        while len(flaky.answered()) < rows * (number + 1) // (kills + 1):
            assert run.poll() is None, "it was over before all was killed"
            time.sleep(0.1)
        stack.worker("text", chance.randrange(2)).signal(signal.SIGKILL)
    return kills
