"""Units tried in processes of their own, forked from one that has imported what all need."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import selectors
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .heads import Head, units
from .judging import Verdict, judge

Unit = tuple[Head, str, tuple[str, ...]]

#: What a unit may take: of memory beside what was there before the fork, of a processor's time,
#: and of time on a machine that is busy with other things.
_MEMORY = 6 << 30
_CPU_S = 60
_WALL_S = 240.0


@dataclass
class _Child:
    unit: Unit
    pid: int
    pipe: int
    folder: Path
    began: float
    heard: bytearray = field(default_factory=bytearray)


def warm() -> None:
    """Import what every child needs, once; with one thread, since forks keep no others."""
    import torch
    import transformers

    from wherry.tasks.backends import backend_places

    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    transformers.logging.set_verbosity_error()
    for place in {*backend_places("transformers").values()}:
        importlib.import_module(f"wherry.tasks.backends.{place.partition(':')[0]}")
    for task in ("text-classification", "text-generation"):  # fills transformers' own caches
        with tempfile.TemporaryDirectory() as folder:
            list(judge(*units([task], ["electra" if task[5] == "c" else "gpt2"])[0], Path(folder)))
    gc.collect()
    gc.freeze()


def tried(wanted: Iterable[Unit], *, at_once: int = 2) -> Iterator[tuple[float, list[Verdict]]]:
    """Try units, some at a time; yields what each took and found when it has ended."""
    warm()
    waiting, running = list(wanted)[::-1], list[_Child]()
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    child = _start(waiting.pop())
                    running.append(child)
                    selector.register(child.pipe, selectors.EVENT_READ, child)
                for child in [*_ended(selector, running)]:
                    running.remove(child)
                    selector.unregister(child.pipe)
                    yield _finish(child)
        finally:
            for child in running:
                _finish(child, killed=True)


def _ended(selector: selectors.BaseSelector, running: list[_Child]) -> Iterator[_Child]:
    """Those that closed their pipe or ran out of time, once some did or a second passed."""
    for key, _ in selector.select(timeout=1.0):
        child: _Child = key.data
        if data := os.read(child.pipe, 1 << 16):
            child.heard += data
        else:
            yield child
    for child in running:
        if time.monotonic() - child.began > _WALL_S:
            os.kill(child.pid, signal.SIGKILL)
            child.began = float("inf")  # its pipe closes


def _start(unit: Unit) -> _Child:
    folder = Path(tempfile.mkdtemp(prefix="architecture-"))
    reads, writes = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.close(reads)
        _run(unit, folder, lambda line: os.write(writes, line))
    os.close(writes)
    return _Child(unit, pid, reads, folder, time.monotonic())


def _run(unit: Unit, folder: Path, tell: Callable[[bytes], object]) -> None:
    """Try a unit in a forked process, which ends here."""
    import warnings

    resource.setrlimit(resource.RLIMIT_DATA, (_data() + _MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    quiet = os.open(os.devnull, os.O_WRONLY)
    if not os.environ.get("ARCHITECTURES_LOUD"):
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
    code = 1
    with contextlib.suppress(BaseException):
        for verdict in judge(*unit, folder):
            tell(json.dumps(asdict(verdict)).encode() + b"\n")
        code = 0
    os._exit(code)


def _data() -> int:
    """Bytes of data that this process has mapped."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    return pages * resource.getpagesize()


def _finish(child: _Child, *, killed: bool = False) -> tuple[float, list[Verdict]]:
    """What a child took and said; a task that it died of is said so."""
    if killed:
        os.kill(child.pid, signal.SIGKILL)
    _, status, used = os.wait4(child.pid, 0)
    os.close(child.pipe)
    shutil.rmtree(child.folder, ignore_errors=True)
    found = [Verdict(**json.loads(line)) for line in child.heard.splitlines()]
    _, kind, tasks = child.unit
    cpu_s = used.ru_utime + used.ru_stime
    for task in {*tasks} - {verdict.task for verdict in found}:
        name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "an error"
        why = f"the trial died of {name} after {cpu_s:.0f} s of a processor"
        found.append(Verdict(task, kind, "cannot be built", why))
    return cpu_s, found
