from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from wherry.ops.child import Child, describe

from ..support.waiting import until

#: Generous: these tests share two cores with whatever else runs.
PATIENCE_S = 20


class Lines:
    """Lines of a child, awaited."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, line: str) -> None:
        with self._changed:
            self.seen.append(line)
            self._changed.notify_all()

    def wait_for(self, enough: Callable[[list[str]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self.seen), PATIENCE_S), self.seen


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def make(lines: Lines) -> Iterator[Callable[..., Child]]:
    made: list[Child] = []

    def make(code: str, *, restart: bool = True) -> Child:
        child = Child("it", [sys.executable, "-c", code], on_line=lines, restart=restart)
        made.append(child)
        child.start()
        return child

    yield make
    for child in made:
        child.kill()


SLEEP = "import time; print('up', flush=True); time.sleep(600)"


def test_lines_are_passed_on_and_an_end_starts_it_again(
    make: Callable[..., Child], lines: Lines
) -> None:
    child = make("import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)")
    lines.wait_for(lambda seen: seen.count("one") >= 2)
    assert "two" in lines.seen
    assert "ended (status 3); starts again in 0.5 s" in lines.seen
    assert child.ends >= 1
    assert next(iter(child.tail)) in {"one", "two"}


def test_stopping_one_that_another_thread_just_buried_is_no_error(lines: Lines) -> None:
    class Buried(subprocess.Popen[str]):
        """Gone, but the thread that waited for it has not written down yet how it ended."""

        def poll(self) -> int | None:
            return None

    def spawn(command: Sequence[str], env: Mapping[str, str] | None) -> Buried:
        process = Buried(command, env=env, stdout=subprocess.PIPE, text=True)
        process.wait()
        return process

    child = Child("it", [sys.executable, "-c", ""], on_line=lines, restart=False, spawn=spawn)
    child.start()
    child.stop()
    assert lines.seen == []


def test_a_killed_child_comes_back_under_another_pid(
    make: Callable[..., Child], lines: Lines
) -> None:
    child = make(SLEEP)
    lines.wait_for(lambda seen: "up" in seen)
    before = child.pid
    child.signal(signal.SIGKILL)
    lines.wait_for(lambda seen: seen.count("up") == 2)
    assert "ended (SIGKILL); starts again in 0.5 s" in lines.seen
    assert child.pid not in {None, before}


def test_a_stopped_child_stays_down(make: Callable[..., Child], lines: Lines) -> None:
    child = make(SLEEP)
    lines.wait_for(lambda seen: "up" in seen)
    child.stop()
    assert child.pid is None
    assert child.returncode == -signal.SIGTERM
    assert child.ends == 0


def test_a_child_that_ignores_sigterm_is_killed(make: Callable[..., Child], lines: Lines) -> None:
    child = make("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEP)
    lines.wait_for(lambda seen: "up" in seen)
    child.stop(timeout_s=0.2)
    assert child.returncode == -signal.SIGKILL
    assert "did not stop within 0 s; killed" in lines.seen


def test_stopping_while_it_waits_for_a_new_start(make: Callable[..., Child], lines: Lines) -> None:
    child = make("print('gone')")
    lines.wait_for(lambda seen: any("starts again" in line for line in seen))
    child.stop()
    assert child.pid is None
    assert lines.seen.count("gone") == 1


def test_without_restart_an_end_is_the_end(make: Callable[..., Child], lines: Lines) -> None:
    child = make("print('once')", restart=False)
    lines.wait_for(lambda seen: "once" in seen)
    until(lambda: child.ends, timeout_s=PATIENCE_S)
    child.stop()
    assert lines.seen == ["once"]


def test_a_command_that_is_not_there_says_so(lines: Lines) -> None:
    child = Child("it", ["/no/such/program"], on_line=lines, restart=False)
    child.start()
    lines.wait_for(lambda seen: "cannot run /no/such/program: No such file or directory" in seen)
    child.stop()


def test_a_child_that_was_never_started_can_be_stopped(lines: Lines) -> None:
    Child("it", ["true"], on_line=lines).stop()


def test_a_child_dies_with_its_starter_however_that_dies() -> None:
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time; from wherry.ops.child import Child;"
            "child = Child('it', ['sleep', '600'], on_line=print); child.start();"
            "print(child.pid, flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    with starter.stdout as output:
        pid = int(output.readline())
        starter.kill()
        starter.wait()
    until(lambda: not _runs(pid), timeout_s=PATIENCE_S)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_exit_in_words() -> None:
    assert describe(1) == "status 1"
    assert describe(-9) == "SIGKILL"


def test_a_child_that_cannot_start_is_left_alone(lines: Lines) -> None:
    child = Child("it", [sys.executable, "-c", "exit(78)"], on_line=lines, hopeless={78})
    child.start()
    lines.wait_for(lambda seen: "ended (status 78): it cannot start as things are" in seen)
    child.stop()
    assert (child.given_up, child.ends) == (True, 1)
