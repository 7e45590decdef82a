"""How test files are shared out among the processes of one run."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Mapping

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

#: Where tests start fleets and commands, and wait for them while a core is idle.
_WAITING = ("tests/flow/", "tests/ops/", "tests/runs/", "tests/workers/")

#: What a file takes besides its tests, in tests: the start of its fleet, say.
_BESIDES = 20

#: Where a test takes as long as ten of others: those of whole fleets, some of a few minutes a file.
_LONG, _TIMES = "tests/flow/", 10


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

    pytest-xdist 3.8 puts all that a dead process ever did back, files that are done included.
    Whoever is given one has nothing to run, reports nothing, is given nothing more: no end.
    """

    workqueue: OrderedDict[str, dict[str, bool]]  # tests by file, and whether they are done
    _is_mixed = False

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a process the next file."""
        if not self._is_mixed:  # the first: all files are known now
            tests, self._is_mixed = self.workqueue, True
            order = mixed({file: len(tests[file]) for file in tests})
            self.workqueue = OrderedDict((file, tests[file]) for file in order)
        super()._assign_work_unit(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """Forget a process. Answers the test during which it died, which has failed by that."""
        given = self.assigned_work.pop(node)
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
