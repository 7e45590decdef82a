"""A run of tests outlives a process of its own."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ..support import whole_files
from ..support.played_run import PlayedRun

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
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-v", *_PLUGINS, "-n", "2", "."],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=150,
        )
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"no end after {late.output!r} {late.stderr!r}")
    assert "1 failed, 37 passed" in run.stdout, run.stdout
    passed = re.findall(r"PASSED (\S+)", run.stdout)
    assert len(passed) == len(set(passed)), "each once"
    assert "FAILED test_6.py::test_dies" in run.stdout


def _tests(**counts: int) -> list[str]:
    """Names of tests by file, in the order in which they are given out."""
    return [f"{file}.py::test_{n}" for file, count in counts.items() for n in range(count)]


def test_who_died_unnoticed_may_be_given_a_file() -> None:
    run = PlayedRun(_tests(a=4, b=4, c=4, d=4), processes=2)
    first, other = run.processes
    for process in (first, other, first, other):
        process.step()
        run.note()
    first.step()
    first.step()
    first.is_dead = True
    run.note()  # it has run two: there is a file to give
    assert "c.py" in run.sched.assigned_work[first.node]
    run.go_on()
    assert run.is_over
    assert run.hooks.failed == ["a.py::test_2"]


def test_a_replacement_goes_on_from_a_single_test() -> None:
    run = PlayedRun(_tests(a=4, b=3, c=3), fatal=["a.py::test_2"], processes=2)
    first, other = run.processes
    for process in (first, other, first, other, first, first, first):  # it has died of its third
        process.step()
        run.note()
    assert set(run.sched.assigned_work[first.node]) == {"a.py", "c.py"}
    while not other.is_over:  # it is told that there is nothing more
        other.step()
        run.note()
    run.go_on()  # one of a.py is left, and what comes after it is in another file
    assert run.is_over
    assert run.hooks.failed == ["a.py::test_2"]


def test_a_replacement_is_given_nothing_before_it_knows_the_tests() -> None:
    run = PlayedRun(_tests(a=3, b=3, c=3, d=3), processes=2)
    first, other = run.processes
    for process in (first, other, first, other):
        process.step()
        run.note()
    first.is_dead = other.is_dead = True
    first.step()
    run.note()
    run.processes[2].step()  # has begun, no more, when the other one's files come back
    other.step()
    run.note()
    assert run.sched.assigned_work[run.processes[2].node] == {}
    run.go_on()
    assert run.is_over
    assert len(run.hooks.failed) == 2


def test_who_dies_before_all_know_the_tests_is_not_counted() -> None:
    run = PlayedRun(_tests(a=3, b=3, c=3), processes=2)
    first, other = run.processes
    for _ in range(2):
        first.step()
    first.is_dead = True
    first.step()
    other.step()
    run.note()
    run.processes[2].step()
    run.processes[2].step()
    run.note()
    assert not run.sched.collection_is_completed
    run.go_on()
    assert run.is_over
    assert run.hooks.failed == []


@pytest.mark.parametrize("is_given_up", [True, False])
def test_a_run_that_is_given_up_fails(is_given_up: bool) -> None:
    run = PlayedRun(_tests(a=3, b=3), processes=2)
    if is_given_up:
        run.session._max_worker_restart = 0
        run.processes[0].is_dead = True
    run.go_on()
    assert run.session.session_finished
    ended: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    run.sched.pytest_sessionfinish(ended)
    assert (ended.exitstatus == pytest.ExitCode.TESTS_FAILED) == is_given_up


def test_a_replacement_that_finds_other_tests_is_named() -> None:
    run = PlayedRun(_tests(a=3, b=3), processes=2)
    for process in (*run.processes, *run.processes):
        process.step()
        run.note()
    run.processes[0].is_dead = True
    run.processes[0].step()
    run.note()
    run.processes[2].tests = run.tests[1:]
    for _ in range(3):
        run.processes[2].step()
        run.note()
    assert run.processes[2].is_over
    assert "gw2" in run.hooks.failed


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_order_a_run_ends(seed: int) -> None:
    for chance in map(random.Random, range(50 * seed, 50 * seed + 50)):
        counts = {f"test_{n}": chance.randint(1, 4) for n in range(chance.randint(1, 9))}
        tests = _tests(**counts)
        fatal = chance.sample(tests, min(len(tests), chance.choice([0, 1, 3])))
        run = PlayedRun(tests, fatal=fatal, processes=chance.randint(1, 4))
        run.go_on_anyhow(chance, deaths=chance.choice([0, 1, 5]))
        assert run.is_over


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
