"""`make bench-start`: how long `wherry up` takes until it is ready, and what it takes while idle.

With another checkout, whose own environment has it installed, both are started in turn, so that
the figures are ratios: `python -m bench.start --before ../older`. CPU seconds of all processes,
read from /proc, hardly depend on what else the machine does; seconds do.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

_HERE = Path(__file__).parents[1]

#: Seconds after it is ready until a stack counts as idle: threads end, caches settle.
_SETTLE_S = 5.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Tree:
    """A checkout, and what was measured of it, a value a round."""

    folder: Path
    ready_s: list[float] = field(default_factory=list)
    cpu_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    pss_mb: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    idle: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, idle_s: float) -> None:
        """Start it once, and stop it again."""
        begun = time.monotonic()
        with _stack(self.folder) as process:
            _wait_until_ready(process)
            self.ready_s.append(time.monotonic() - begun)
            for service, seconds in cpu_s(process.pid).items():
                self.cpu_s[service].append(seconds)
            for service, megabytes in pss_mb(process.pid).items():
                self.pss_mb[service].append(megabytes)
            if not idle_s:
                return
            time.sleep(_SETTLE_S)
            before = cpu_s(process.pid)
            time.sleep(idle_s)
            for service, seconds in cpu_s(process.pid).items():
                self.idle[service].append((seconds - before[service]) / idle_s * 100)


@contextlib.contextmanager
def _stack(tree: Path) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as data:
        models = tree / "ops" / "demo" / "models.toml"
        command = [tree / ".venv/bin/wherry", "up", "--models", models, "--data-dir", data]
        process = subprocess.Popen(
            [*map(str, command), "--port", "0", "--flower-port", "0"],
            cwd=tree,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Ready"):
            return
    raise SystemExit("".join(said))


def processes(root: int) -> dict[int, str]:
    """The service of a process and of each below it."""
    return {pid: _service(pid) for pid in _tree(root)}


def cpu_s(root: int) -> dict[str, float]:
    """CPU seconds by service, of a process and all below it; those that ended count for theirs."""
    found: dict[str, float] = defaultdict(float)
    for pid, seconds in _tree(root).items():
        found[_service(pid)] += seconds
    return found


def pss_mb(root: int) -> dict[str, float]:
    """Megabytes by service, of a process and all below it; what several share is divided."""
    found: dict[str, float] = defaultdict(float)
    for pid in _tree(root):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            [pss] = [line.split()[1] for line in lines if line.startswith("Pss:")]
            found[_service(pid)] += int(pss) / 1024
    return found


def _tree(root: int) -> dict[int, float]:
    """A process and all below it, with the CPU seconds of each."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            fields = path.read_text().rpartition(")")[2].split()
            stats[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    below = [root]
    for pid in below:
        below += [child for child, (parent, _) in stats.items() if parent == pid]
    return {pid: stats[pid][1] / _TICKS_PER_S for pid in below}


def _service(pid: int) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    if "-Q" in line:
        return f"worker-{line[line.index('-Q') + 1]}"
    if "valkey-server" in line[0] or "redis-server" in line[0]:
        return "redis"
    if "wherry.workers.fork_server" in line:
        return "fork server"
    if "wherry.api.app:create_app" in line:
        return "api"
    return "flower" if "flower" in line else "up"


def _report(trees: list[Tree]) -> Table:
    table = Table("what", *(str(tree.folder) for tree in trees), "ratio")
    table.add_row("ready, s", *_row([tree.ready_s for tree in trees], 1))
    rows = [("CPU until ready, s", 1, [t.cpu_s for t in trees])]
    rows += [("memory (PSS), MB", 0, [t.pss_mb for t in trees])]
    rows += [("idle, % of a core", 2, [t.idle for t in trees])] if trees[0].idle else []
    for what, digits, found in rows:
        rounds = [[sum(of) for of in zip(*f.values(), strict=True)] for f in found]
        table.add_row(what, *_row(rounds, digits))
        for service in sorted({name for f in found for name in f}):
            table.add_row(f"  {service}", *_row([f[service] for f in found], digits))
    return table


def _row(values: Sequence[Sequence[float]], digits: int) -> list[str]:
    medians = [statistics.median(of or [0.0]) for of in values]  # a service of one alone
    ratio = f"{medians[-1] / medians[0]:.2f}" if len(medians) > 1 and medians[0] else ""
    return [*(f"{median:.{digits}f}" for median in medians), ratio]


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="the one to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=float, default=0.0, metavar="SECONDS")
    options = parser.parse_args()
    folders = [options.before.resolve()] if options.before else []
    trees = [Tree(folder) for folder in (*folders, _HERE)]
    for _ in range(options.rounds):
        for tree in trees:
            tree.measure(options.idle)
    console = Console()
    console.width = max(console.width, 110)
    console.print(_report(trees))


if __name__ == "__main__":
    main()
