"""How test files are shared out among the processes of one run."""

from __future__ import annotations

import contextlib
import itertools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

#: Where tests start fleets and commands, and wait for them while a core is idle.
_WAITING = ("tests/flow/", "tests/ops/", "tests/runs/", "tests/workers/")

#: What a file takes besides its tests, in tests: the start of its fleet, say.
_BESIDES = 20

#: Where a test takes as long as ten of others: those of whole fleets, some of a few minutes a file.
_LONG, _TIMES = "tests/flow/", 10

#: Tests that a process still has when it is given the next file.
_AHEAD = 2


def mixed(sizes: Mapping[str, int]) -> list[str]:
    """Order files, given how many tests each has: those that wait go beside those that compute.

    By the number alone, as pytest-xdist orders them, the few long tests of fleets would all come
    last, when nobody has anything left to compute meanwhile.
    """
    placed: list[tuple[float, str]] = []
    for waits, by in ((True, 0.8), (False, 1.0)):  # all that wait has begun by then
        files = [file for file in sizes if file.startswith(_WAITING) == waits]
        files.sort(key=lambda file: -_takes(file, sizes))
        takes = (_takes(file, sizes) for file in files)
        *begins, end = itertools.accumulate(takes, initial=0)
        placed += [(by * begin / end, file) for begin, file in zip(begins, files, strict=True)]
    return [file for _, file in sorted(placed, key=lambda one: one[0])]


def _takes(file: str, sizes: Mapping[str, int]) -> int:
    return sizes[file] * (_TIMES if file.startswith(_LONG) else 1) + _BESIDES


class WholeFiles(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """As `--dist loadfile` does, in another order, and goes on when a process dies.

    In pytest-xdist 3.8 a run may end in an error then, or never: a process is told of a test though
    it is dead, or before it has said what it found; files that are done are given out again, of
    which nothing is heard; and whoever is given a single test waits for what comes after it.
    """

    workqueue: OrderedDict[str, dict[str, bool]]  # tests by file, and whether they are done
    _places: dict[str, int] | None = None  # of each test, among all

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        config.pluginmanager.register(self)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run whose processes died so often that it was given up: xdist lets it pass."""
        is_complete = self.collection_is_completed and not self.has_pending
        if session.exitstatus == pytest.ExitCode.OK and not is_complete:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Note the tests that a process has found."""
        super().add_node_collection(node, collection)
        if node not in self.registered_collections:  # they are others than all have found before
            node.shutdown()
            why = "it has found other tests than those before it"
            report = pytest.CollectReport(node.gateway.id, "failed", why, None)
            self.config.hook.pytest_collectreport(report=report)

    def _reschedule(self, node: WorkerController) -> None:
        """Give a process files until it can go on: it runs a test when it knows which is next."""
        if node.shutting_down or node not in self.registered_collections:
            return
        while self.workqueue and self._pending_of(self.assigned_work[node]) <= _AHEAD:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a process the next file."""
        if self._places is None:  # the first: all files are known now
            self._places = {test: place for place, test in enumerate(self.collection)}
            order = mixed({file: len(tests) for file, tests in self.workqueue.items()})
            self.workqueue = OrderedDict((file, self.workqueue[file]) for file in order)
        file, tests = self.workqueue.popitem(last=False)
        self.assigned_work[node][file] = tests
        with contextlib.suppress(OSError):  # it is dead: the file comes back when that is told
            node.send_runtest_some([self._places[test] for test in tests if not tests[test]])

    def remove_node(self, node: WorkerController) -> str | None:
        """Forget a process. Answers the test during which it died, which has failed by that."""
        given = self.assigned_work.pop(node)
        if not self.collection_is_completed:  # its replacement counts for it
            self.registered_collections.pop(node, None)
        left = {file: tests for file, tests in given.items() if not all(tests.values())}
        if not left:
            return None
        running = next(iter(left.values()))
        fatal: str = next(test for test, is_done in running.items() if not is_done)
        running[fatal] = True  # once is enough: it would take the next process along
        for file, tests in left.items():
            if not all(tests.values()):
                self.workqueue[file] = tests
        for other in self.nodes:
            self._reschedule(other)
        return fatal
