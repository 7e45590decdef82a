"""Tries whether Wherry serves every type of model that transformers lists.

    python -m tests.architectures                        all, then docs/models.md (`make models`)
    python -m tests.architectures --task chat --type gpt2 --type llama
    python -m tests.architectures --resume               only what has no verdict yet
    python -m tests.architectures --only-failed          only what is wrong, refused or not built

Verdicts go to tests/architectures/verdicts.json after every unit, so a run can be broken off;
those of pairs that are not tried stay. `--json FILE` keeps them elsewhere.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from . import page, verdicts
from .forks import Unit, tried
from .heads import units
from .judging import Verdict
from .sizes import version

_FAILED = frozenset({"wrong", "refused", "cannot be built", "needs"})


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.architectures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--task", action="append", default=[], help="only these tasks")
    parser.add_argument("--type", action="append", default=[], help="only these types of models")
    parser.add_argument("--only", action="append", default=[], metavar="TASK:TYPE", help="a pair")
    parser.add_argument("--resume", action="store_true", help="only pairs without a verdict")
    parser.add_argument("--only-failed", action="store_true", help="only pairs that are not served")
    parser.add_argument("--word", action="append", default=[], help="only pairs of this verdict")
    parser.add_argument("--json", type=Path, default=verdicts.FILE, help="where verdicts are kept")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    asked = parser.parse_args()
    known = verdicts.read(asked.json)[1]
    wanted = units(asked.task, asked.type)
    if asked.only:
        wanted = _kept(wanted, lambda pair: ":".join(pair) in asked.only)
    if asked.resume:
        wanted = _kept(wanted, lambda pair: pair not in known or known[pair].word == "not tried")
    if asked.only_failed or asked.word:
        words = {*asked.word} or _FAILED
        wanted = _kept(wanted, lambda pair: pair in known and known[pair].word in words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("broken off"))
    _try(wanted, known, asked.json, asked.at_once)
    if asked.json == verdicts.FILE:
        listed = [(task, kind) for _, kind, tasks in units() for task in tasks]
        whole = [known.get(pair) or Verdict(*pair, "not tried") for pair in listed]
        verdicts.write(version(), whole)
        page.write()


def _kept(wanted: list[Unit], is_wanted: Callable[[tuple[str, str]], bool]) -> list[Unit]:
    left = [(h, k, tuple(t for t in tasks if is_wanted((t, k)))) for h, k, tasks in wanted]
    return [unit for unit in left if unit[2]]


def _try(wanted: list[Unit], known: verdicts.Verdicts, file: Path, at_once: int) -> None:
    total, done, began = sum(len(tasks) for *_, tasks in wanted), 0, time.monotonic()
    words, cpu_s = Counter[str](), 0.0
    for used_s, found in tried(wanted, at_once=at_once):
        cpu_s += used_s
        for verdict in found:
            known[verdict.task, verdict.kind] = verdict
            words[verdict.word] += 1
            if verdict.word != "yes":
                print(f"{verdict.task} {verdict.kind}: {verdict.word}: {verdict.why}", flush=True)  # noqa: T201 # a command
        done += len(found)
        verdicts.write(version(), known.values(), file)
        left_s = (time.monotonic() - began) / done * (total - done)
        print(f"{done} of {total}, {left_s:.0f} s to go", file=sys.stderr, flush=True)  # noqa: T201 # likewise
    told = ", ".join(f"{word} {count}" for word, count in words.most_common())
    took = f"{time.monotonic() - began:.0f} s, {cpu_s:.0f} s of processors"
    print(f"{total} pairs: {told}; {took}")  # noqa: T201 # likewise


if __name__ == "__main__":
    main()
