from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_script_runs_where_there_is_no_gpu() -> None:
    command = [sys.executable, "-m", "bench.gpu", "--device", "cpu", "--tiny", "--json"]
    done = subprocess.run(
        [*command, "--seconds", "0.1"], cwd=ROOT, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [line["model"] for line in found["models"]] == [
        *("vit-b16", "yolos-s", "minilm", "smollm2", "whisper-tiny")
    ]
    for line in found["models"]:
        assert line["error"] == ""
        assert min(line["bare"], line["ours"], line["exact"]) > 0
        assert line["halved"]["answered"] == line["halved"]["rows"]
        assert line["halved"]["forwards"] > 2
    assert 0 <= found["fleet"]["idle_percent"] <= 100
    assert found["fleet"]["recovery_s"] < 180
