"""How test files are shared out among the processes of one run."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


class WholeFiles(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """As `--dist loadfile` does, and goes on when a process dies.

    pytest-xdist 3.8 puts all that a dead process ever did back, files that are done included.
    Whoever is given one has nothing to run, reports nothing, is given nothing more: no end.
    """

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
