"""A run of pytest-xdist whose processes are played here, in any order that is asked for."""

from __future__ import annotations

import itertools
import random
from collections import Counter, deque
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from xdist.dsession import DSession
from xdist.workermanage import Marker, WorkerController

from .whole_files import WholeFiles


class _Hooks:
    """Notes what is said to have failed; all else is nobody's."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        self.failed.append(report.nodeid)

    def __getattr__(self, name: str) -> Any:
        return lambda **_: None


class PlayedProcess:
    """Does one thing a step, as xdist's remote.py does: a test once it knows which comes next."""

    def __init__(self, run: PlayedRun, spec: SimpleNamespace) -> None:
        gateway = SimpleNamespace(id=spec.id, spec=spec, _rinfo=None)
        self.node = WorkerController(run, gateway, run.config, run.session.queue.put)
        self.node.channel = self  # its other end
        self.tests = run.tests
        self.is_dead = self.is_over = False
        self._run = run
        self._told: deque[int | None] = deque()  # tests to run; None: no more
        self._begins = deque(["workerready", "collectionfinish"])

    def send(self, command: tuple[str, dict[str, Any]]) -> None:
        if self.is_dead or self.is_over:
            raise OSError("cannot send (already closed?)")
        name, said = command
        self._told.extend([None] if name == "shutdown" else said["indices"])

    def _getremoteerror(self) -> None:
        return None

    @property
    def has_a_step(self) -> bool:
        """Whether it is not over, and waits for nobody."""
        waits = not self._begins and len(self._told) < 2 and None not in self._told
        return not self.is_over and (self.is_dead or not waits)

    def step(self) -> None:
        """Do the next thing, or have its death be noticed."""
        if self.is_dead:
            self.is_over = True
            self.node.process_from_remote(Marker.END)
        elif self._begins:
            said = {"workerready": {"workerinfo": {}}, "collectionfinish": {"ids": self.tests}}
            name = self._begins.popleft()
            self.node.process_from_remote((name, said[name]))
        else:
            self._go_on(self._told.popleft())

    def _go_on(self, index: int | None) -> None:
        if index is None:
            self.is_over = True
            output = {"exitstatus": 0, "shouldfail": False, "shouldstop": False}
            self.node.process_from_remote(("workerfinished", {"workeroutput": output}))
        elif self.tests[index] in self._run.fatal:
            self.is_dead = True
        else:
            self._run.ran[self.tests[index]] += 1
            said = {"item_index": index, "duration": 0.0}
            self.node.process_from_remote(("runtest_protocol_complete", said))


class PlayedRun:
    """xdist's own session, our scheduler, and processes that go on when they are told to."""

    def __init__(self, tests: Sequence[str], *, fatal: Sequence[str] = (), processes: int) -> None:
        self.tests, self.fatal, self.ran = list(tests), set(fatal), Counter[str]()
        self.hooks = _Hooks()
        values = {"tx": ["popen"] * processes, "maxfail": 0}
        option = SimpleNamespace(
            debug=False, loadscopereorder=False, maxworkerrestart=None, numprocesses=None
        )
        plugins = SimpleNamespace(getplugin=lambda _: None, register=lambda _: None)
        config = SimpleNamespace(
            option=option, pluginmanager=plugins, hook=self.hooks, getvalue=values.__getitem__
        )
        self.config = cast("pytest.Config", config)
        self.specs: list[Any] = []
        self.testrunuid = "played"
        self.session = DSession(self.config)
        self.session.nodemanager, self.session._session = self, SimpleNamespace()
        self.session.shouldstop = False
        self.session.sched = self.sched = WholeFiles(self.config)
        self.sched.log.enabled = False
        self.processes: list[PlayedProcess] = []
        self.group, self._ids = self, map("gw{}".format, itertools.count())
        for _ in range(processes):
            spec = SimpleNamespace()
            self.allocate_id(spec)
            self.session._active_nodes.add(self.setup_node(spec, None))

    def allocate_id(self, spec: SimpleNamespace) -> None:
        spec.id = next(self._ids)

    def setup_node(self, spec: SimpleNamespace, _: object) -> WorkerController:
        self.processes.append(PlayedProcess(self, spec))
        return self.processes[-1].node

    def note(self) -> None:
        """Have the session take up all that it was told."""
        while not self.session.session_finished and not self.session.queue.empty():
            self.session.loop_once()

    def go_on(self) -> None:
        """Have everybody do what they can, until the run is over or each waits for another."""
        while able := [process for process in self.processes if process.has_a_step]:
            able[0].step()
            self.note()

    def go_on_anyhow(self, chance: random.Random, *, deaths: int) -> None:
        """As `go_on`, in any order, with so many deaths at any moment; each is noticed late."""
        while not self.session.session_finished:
            able = [process for process in self.processes if process.has_a_step]
            one = chance.choice([*able, None] if self.session.queue.qsize() else able or [None])
            if one is None:
                assert self.session.queue.qsize(), "each waits for another"
                self.session.loop_once()
            elif deaths and not one.is_dead and chance.random() < 0.1:
                one.is_dead, deaths = True, deaths - 1
            else:
                one.step()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and each test was run once or is what a process died of."""
        ran = self.ran + Counter(self.hooks.failed)
        return self.session.session_finished and ran == Counter(self.tests)
