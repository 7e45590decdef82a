"""A run of tests outlives a process of its own."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

from ..support import whole_files

CONFTEST = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("whole_files", {whole_files.__file__!r})
whole_files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(whole_files)

def pytest_xdist_make_scheduler(config, log):
    return whole_files.WholeFiles(config, log)
"""
#: No others, which take each of the three processes a second to import.
_PLUGINS = ("-p", "xdist", "-p", "no:cacheprovider")

FINE = "import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test_fine(n): pass\n"
FATAL = FINE + "def test_dies():\n    import os\n    os._exit(1)\n" + "def test_after(): pass\n"


def test_a_process_that_dies_fails_one_test_and_the_others_run_once(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for n in range(12):
        (tmp_path / f"test_{n}.py").write_text(FATAL if n == 6 else FINE)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", *_PLUGINS, "-n", "2", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert "1 failed, 37 passed" in run.stdout, run.stdout
    passed = re.findall(r"PASSED (\S+)", run.stdout)
    assert len(passed) == len(set(passed)), "each once"
    assert "FAILED test_6.py::test_dies" in run.stdout


def test_files_that_wait_go_beside_those_that_compute() -> None:
    computing = {f"tests/tasks/test_{n}.py": 100 - n for n in range(20)}
    waiting = {f"tests/flow/test_{n}.py": 10 - n for n in range(10)}
    order = whole_files.mixed({**computing, **waiting})
    assert sorted(order) == sorted({**computing, **waiting}), "each once"
    for some in (computing, waiting):
        assert [file for file in order if file in some] == list(some), "the largest first"
    at = [order.index(file) for file in waiting]
    assert at[0] <= 1
    assert max(b - a for a, b in itertools.pairwise(at)) <= 4, "all the way"
    assert at[-1] < len(order) - 3, "the last begins while others compute"
    assert whole_files.mixed({}) == []
