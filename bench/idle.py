"""`make bench-idle`: what keeps a device waiting while jobs do, on a simulated device.

The stub holds the device for some time a row and takes no CPU for it, behind real decoding. The
backlog is there before the worker goes on, and all goes in past HTTP: the figures are the worker's.
With another checkout (`--before ../older`), whose own environment has it installed, its worker and
ours take turns. CPU seconds are read from /proc: they hardly depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.table import Table

from wherry.jobs import Group
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.vision.image_classification import ImageClassificationInput

from . import vit
from .backlog import Backlog, Seen

_TEXTS = Group("text", "simulated", "1")
_PHOTOGRAPHS = Group("vision", "simulated", "1")
_TEXT = "Some text of a usual length, as people write it to have it found again."


def _texts(options: argparse.Namespace, told: dict[str, Any]) -> None:
    """A backlog of texts: idle, and CPU a row, beside the other checkout's."""
    pythons = {"now": sys.executable}
    if options.before:
        pythons = {"before": str(options.before.resolve() / ".venv/bin/python"), **pythons}
    rows = [EmbeddingInput(texts=[f"{_TEXT} {n}"]) for n in range(options.texts)]
    for row_us in (100, 0):
        with contextlib.ExitStack() as stack:
            fleets = {
                name: stack.enter_context(
                    Backlog(_TEXTS, rows[0], 64, row_us / 1e6, python).running()
                )
                for name, python in pythons.items()
            }
            for _ in range(options.rounds):
                for name, fleet in fleets.items():
                    told.setdefault(f"texts, {row_us} us a row, {name}", []).append(
                        fleet.measure(rows)
                    )


#: Whose threads decode: all three of a worker on one core; those, its pool being of one thread and
#: small work no work for it; and the pool's two.
_DECODERS = {"one core": 1, "one thread": 1, "two threads": 2}


def _decoding(options: argparse.Namespace, told: dict[str, Any]) -> None:
    """Photographs decoded by one core, and by all; spinning processes tell what could be."""
    small = [ImageClassificationInput(images=[file]) for file in vit.photographs(options.pictures)]
    large = [ImageClassificationInput(images=[_large()])] * options.large
    one_core = min(os.sched_getaffinity(0))
    for name, batch, rows in (("45 kB", 16, small), ("12 Mpx", 8, large)):
        with contextlib.ExitStack() as stack:
            fleets = {
                decoders: stack.enter_context(
                    Backlog(
                        _PHOTOGRAPHS,
                        rows[0],
                        batch,
                        0.0001,
                        env={"WHERRY_DECODE_THREADS": str(threads)},
                        decode=True,
                        core=one_core if decoders == "one core" else None,
                    ).running()
                )
                for decoders, threads in _DECODERS.items()
            }
            for _ in range(options.rounds):
                told.setdefault("spinning, rate of 2 to 1", []).append(_spun(2) / _spun(1))
                for decoders, fleet in fleets.items():
                    told.setdefault(f"{name}, {decoders}", []).append(fleet.measure(rows))


def _spun(processes: int) -> float:
    """Rounds a second of as many processes that share nothing."""
    code = "import hashlib\nd = bytes(1 << 22)\nfor _ in range(100): hashlib.sha256(d).digest()"
    started = time.perf_counter()
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(processes)]
    for child in children:
        child.wait()
    return processes / (time.perf_counter() - started)


def _large() -> bytes:
    with Image.open(io.BytesIO(vit.photographs(1)[0])) as photo:
        buffer = io.BytesIO()
        photo.resize((4000, 3000)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _report(told: dict[str, list[Any]]) -> dict[str, dict[str, float]]:
    """Medians by what was measured."""
    found: dict[str, dict[str, float]] = {}
    for name, each in told.items():
        if isinstance(each[0], Seen):
            found[name] = {
                "rows_per_s": statistics.median(seen.rate for seen in each),
                "idle_percent": 100 * statistics.median(seen.idle for seen in each),
                "cpu_us_per_row": statistics.median(seen.row_cpu_us for seen in each),
                "rows_per_batch": statistics.median(s.rows / s.batches for s in each),
                **{
                    f"{part}_ms_per_batch": 1000
                    * statistics.median(getattr(s, f"{part}_s") / s.batches for s in each)
                    for part in ("input", "held", "output")
                },
            }
        else:
            found[name] = {"ratio": statistics.median(each)}
    for name in ("45 kB", "12 Mpx"):
        could_be = statistics.median(told["spinning, rate of 2 to 1"])
        for less in ("one core", "one thread"):
            pairs = zip(told[f"{name}, {less}"], told[f"{name}, two threads"], strict=True)
            ratio = statistics.median(two.rate / one.rate for one, two in pairs)
            found[f"{name}, rate of two threads to {less}"] = {
                "ratio": ratio,
                "of_what_could_be": ratio / could_be,
            }
    for row_us in (100, 0):
        before = told.get(f"texts, {row_us} us a row, before", [])
        pairs = zip(before, told[f"texts, {row_us} us a row, now"], strict=False)
        ratios = [now.row_cpu_us / old.row_cpu_us for old, now in pairs]
        if ratios:
            found[f"texts, {row_us} us a row, CPU now to before"] = {
                "ratio": statistics.median(ratios)
            }
    return found


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="the one to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=12_800)
    parser.add_argument("--pictures", type=int, default=640)
    parser.add_argument("--large", type=int, default=64)
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    told: dict[str, list[Any]] = {}
    _decoding(options, told)
    _texts(options, told)
    found = _report(told)
    if options.json:
        print(json.dumps(found, indent=2))  # what it is for
        return
    table = Table("what", "figures")
    for name, figures in found.items():
        table.add_row(name, ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    Console(width=max(Console().width, 150)).print(table)


if __name__ == "__main__":
    main()
