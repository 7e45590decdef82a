from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def bench(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench.tasks", "--samples", str(folder), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_it_measures_each_backend_and_says_why_not(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = json.loads(bench(tmp_path, "image-classification", "--json"))
    assert [row["backend"] for row in rows] == ["transformers", "onnxruntime"]
    for row in rows:
        assert row["error"] == ""
        assert row["best_batch"] in (2, 4, 8, 16, 32)
        assert row["speed_up"] == pytest.approx(
            row["best_rows_per_s"] / row["alone_rows_per_s"], rel=0.05
        )


def test_a_task_that_cannot_run_stops_no_other(tmp_path: Path) -> None:
    rows = json.loads(bench(tmp_path, "custom", "--backend", "handler", "--json"))
    assert [row["task"] for row in rows] == ["custom"]
    assert "threads" in rows[0]["error"]
