"""Threads that a worker cannot live without: one that dies ends the process."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from wherry.workers import threads
from wherry.workers.threads import EXIT_BROKEN, Every


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why the process would have ended."""
    reasons: list[str] = []
    monkeypatch.setattr(threads, "die", reasons.append)
    return reasons


def test_it_ticks_at_once_and_then_each_period() -> None:
    ticks = threading.Semaphore(0)
    every = Every("test", 0.001, ticks.release)
    every.start()
    for _ in range(3):
        assert ticks.acquire(timeout=10)
    every.stop()
    assert not every.is_alive()


def test_it_stops_amid_a_period_and_not_amid_a_tick(ends: list[str]) -> None:
    ticking, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def tick() -> None:
        ticking.set()
        assert go_on.wait(10)
        done.set()

    every = Every("test", 3600, tick)
    every.start()
    assert ticking.wait(10)
    stopping = threading.Thread(target=every.stop)
    stopping.start()
    assert stopping.is_alive(), "it waits for the tick"
    go_on.set()
    stopping.join(10)
    assert done.is_set()
    assert not every.is_alive()
    assert ends == []


def test_one_that_never_began_can_be_stopped() -> None:
    Every("test", 3600, lambda: None).stop()


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_whatever_a_tick_raises_ends_the_process(
    ends: list[str], error: type[BaseException]
) -> None:
    def tick() -> None:
        raise error

    every = Every("test", 3600, tick)
    every.start()
    every.join(10)
    assert ends == ["thread test died"]


def test_a_process_that_ends_itself_says_why_and_runs_nothing_more() -> None:
    code = (
        "import atexit, logging; from wherry.workers.threads import die;"
        "logging.basicConfig(); atexit.register(print, 'unwound'); die('no luck')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == EXIT_BROKEN
    assert "no luck; this worker ends itself" in done.stderr
    assert done.stdout == ""
