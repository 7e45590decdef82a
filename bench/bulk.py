"""`make bench-bulk`: what many small jobs, and data sets, cost beside the model: it is the stub.

With another checkout, whose own environment has it installed, both are measured in turn, so that
the figures are ratios: `python -m bench.bulk --before ../older`. CPU time of each process, read
from /proc, hardly depends on what else the machine does; rows a second do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import statistics
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from .start import cpu_s

_HERE = Path(__file__).parents[1]

#: Rows of each load: a second or two of the checkout from before.
_TEXTS, _PHOTOS, _JOBS, _ROWS = 12_800, 1_600, 4_000, 25_600

#: Bytes of one photograph.
_PHOTO_BYTES = 45_000

_MODELS = """
[[models]]
name = "words"
task = "text-classification"
backend = "stub"
max_batch_size = 64

[[models]]
name = "vectors"
task = "embedding"
backend = "stub"
max_batch_size = 64

[[models]]
name = "photos"
task = "image-classification"
backend = "stub"
max_batch_size = 16
"""

#: Processes as they are told; whatever else runs counts for none of them.
_PROCESSES = ("client", "api", "redis", "worker")


class Load(NamedTuple):
    """One thing that is measured: what `bulk_load` is told of it."""

    title: str
    kind: str
    model: str
    what: str


@dataclass
class Tree:
    """A checkout, and what was measured of it: by load, a value a round."""

    folder: Path
    rate: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    #: µs of CPU a row, by load and process.
    cpu_us: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def measure(self, url: str, root: int, load: Load) -> None:
        """Run one load."""
        before = cpu_s(root)
        done = subprocess.run(
            [
                *(self.folder / ".venv/bin/python", _HERE / "bench/bulk_load.py"),
                *(load.kind, url, load.model, load.what),
            ],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            check=True,
        )
        said = json.loads(done.stdout)
        used = {"client": said["client"]}
        for service, seconds in cpu_s(root).items():
            name = service.partition("-")[0]
            used[name] = used.get(name, 0.0) + seconds - before.get(service, 0.0)
        self.rate[load.title].append(said["rows"] / said["seconds"])
        for name in _PROCESSES:
            self.cpu_us[load.title][name].append(used.get(name, 0.0) / said["rows"] * 1e6)


@contextlib.contextmanager
def stack(
    tree: Path, folder: Path, *, env: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[str, int]]:
    """A checkout's stack: its URL and the process above all of its."""
    folder.mkdir()
    models = folder / "models.toml"
    models.write_text(_MODELS)
    command = [tree / ".venv/bin/wherry", "up", "--models", models, "--data-dir", folder]
    process = subprocess.Popen(
        [*map(str, command), "--port", "0", "--no-flower"],
        cwd=tree,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
    )
    try:
        url = _url(process)
        assert process.stdout is not None
        draining = threading.Thread(target=process.stdout.read, daemon=True)
        draining.start()
        yield url, process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said, url = [], ""
    for line in process.stdout:
        said.append(line)
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        url = url or (found[0] if found else "")
        if line.startswith("Ready"):
            return url
    raise SystemExit("".join(said))


def _loads(folder: Path) -> list[Load]:
    texts, photos = folder / "texts.csv", folder / "photos"
    texts.write_text("text\n" + "".join(f"a short text of number {n}\n" for n in range(_TEXTS)))
    photos.mkdir()
    for number in range(_PHOTOS):
        # Nobody decodes them: the stub looks at bytes alone. The head is a JPEG's all the same.
        body = random.Random(number).randbytes(_PHOTO_BYTES)
        (photos / f"{number:05}.jpg").write_bytes(_JPEG_HEAD + body)
    return [
        Load("annotate, short texts", "annotate", "words", str(texts)),
        Load("annotate, photographs of 45 kB", "annotate", "photos", str(photos)),
        Load("Client.map, jobs of a row", "jobs", "vectors", str(_JOBS)),
        Load("Client.map, jobs of 64 rows", "rows", "vectors", str(_ROWS)),
    ]


#: Start of image, a frame header of 640 x 480 and three colours, a scan of whatever follows.
_JPEG_HEAD = bytes.fromhex(
    "ffd8 ffc0 0011 08 01e0 0280 03 012200 021101 031101 ffda 000c 03 0100 0211 0311 003f00"
)


def _table(trees: Sequence[Tree], loads: Sequence[Load]) -> Table:
    table = Table("what", *(str(tree.folder) for tree in trees), "ratio")
    for load in loads:
        title = load.title
        table.add_row(f"{title}: rows/s", *_row([tree.rate[title] for tree in trees], 0))
        every = [
            [sum(of) for of in zip(*tree.cpu_us[title].values(), strict=True)] for tree in trees
        ]
        table.add_row("  CPU us a row", *_row(every, 0))
        for name in _PROCESSES:
            table.add_row(f"    {name}", *_row([t.cpu_us[title][name] for t in trees], 0))
    return table


def _row(values: Sequence[Sequence[float]], digits: int) -> list[str]:
    medians = [statistics.median(of) for of in values]
    told = [f"{median:.{digits}f}" for median in medians]
    if len(values) < 2:
        return [*told, ""]
    return [*told, f"{_ratio(*values):.2f}"]


def _ratio(before: Sequence[float], now: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(n / max(b, 1e-9) for b, n in zip(before, now, strict=True))


def _document(trees: Sequence[Tree], loads: Sequence[Load]) -> dict[str, object]:
    return {
        load.title: [
            {
                "checkout": str(tree.folder),
                "rows_per_s": tree.rate[load.title],
                "cpu_us_a_row": tree.cpu_us[load.title],
            }
            for tree in trees
        ]
        for load in loads
    }


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.bulk", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="the one to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", metavar="WORDS", help="loads whose title has these")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folders = [options.before.resolve()] if options.before else []
    trees = [Tree(folder) for folder in (*folders, _HERE)]
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name, contextlib.ExitStack() as up:
        folder = Path(name)
        loads = [load for load in _loads(folder) if options.only in load.title]
        stacks = [
            up.enter_context(stack(tree.folder, folder / str(number)))
            for number, tree in enumerate(trees)
        ]
        for turn in range(options.rounds + 1):
            for load in loads:
                for tree, (url, root) in zip(trees, stacks, strict=True):
                    tree.measure(url, root, load)
            if turn == 0:  # the first warms files, scripts and connections
                for tree in trees:
                    tree.rate.clear()
                    tree.cpu_us.clear()
    if options.json:
        print(json.dumps(_document(trees, loads)))
        return
    console = Console()
    console.width = max(console.width, 110)
    console.print(_table(trees, loads))


if __name__ == "__main__":
    main()
