"""`make bench-noop`: what a job costs besides its work, through HTTP, by process.

A stub answers 1 KB texts; 64 clients, then 256, ask again as soon as they are answered. CPU is read
of each process, for it is steadier than the rate on a machine that has more to do. With another
checkout, whose own environment has it installed, both run side by side and are asked in turn:
`python -m bench.noop --before ../older`. Ratios are of one round each, and their median is told.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wherry.protocol import codec
from wherry.tasks.text.embedding import EmbeddingInput

from . import load
from .bulk import stack
from .shown import show
from .start import cpu_s

_HERE = Path(__file__).parents[1]
_CLIENTS = (64, 256)

#: Processes as they are told; whatever else runs counts for none of them.
PROCESSES = ("api", "redis", "worker")


@dataclass
class Tree:
    """A checkout, and what each number of clients came to, a value a round."""

    folder: Path
    url: str = ""
    #: The process above all of its.
    root: int = 0
    rates: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    #: µs of CPU a request, by clients and process.
    cpu_us: dict[tuple[int, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, clients: int, requests: int) -> None:
        """Ask so many times."""
        before = cpu_s(self.root)
        self.rates[clients].append(load.run(self.url, [_request()] * requests, clients).rate)
        used = dict.fromkeys(PROCESSES, 0.0)
        for service, seconds in cpu_s(self.root).items():
            name = service.partition("-")[0]
            if name in used:
                used[name] += seconds - before.get(service, 0.0)
        for name, spent in used.items():
            self.cpu_us[clients, name].append(spent / requests * 1e6)


def _request() -> load.Request:
    asked = EmbeddingInput(texts=["x" * 1000]).to_inference_request()
    return load.Request("/v2/models/vectors/infer", codec.encode_request(asked, binary=False)[0])


def _report(trees: Sequence[Tree]) -> list[dict[str, object]]:
    """A row a number of clients and checkout: medians of rounds, and of each round's ratio."""
    rows: list[dict[str, object]] = []
    for clients in _CLIENTS:
        for tree in trees:
            pairs = zip(tree.rates[clients], trees[0].rates[clients], strict=True)
            rows.append(
                {
                    "clients": clients,
                    "checkout": str(tree.folder),
                    "requests_per_s": round(statistics.median(tree.rates[clients])),
                    "to_the_first": round(statistics.median(a / b for a, b in pairs), 3),
                    **{
                        f"{name}_cpu_us": round(statistics.median(tree.cpu_us[clients, name]))
                        for name in PROCESSES
                    },
                }
            )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.noop", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="the one to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=4000, help="of each round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folders = [options.before.resolve()] if options.before else []
    trees = [Tree(folder) for folder in (*folders, _HERE)]
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name, contextlib.ExitStack() as up:
        for number, tree in enumerate(trees):
            tree.url, tree.root = up.enter_context(stack(tree.folder, Path(name) / str(number)))
            load.run(tree.url, [_request()] * 1000, _CLIENTS[0])
        for _ in range(options.rounds):
            for clients in _CLIENTS:
                for tree in trees:
                    tree.measure(clients, options.requests)
    show(_report(trees), as_json=options.json)


if __name__ == "__main__":
    main()
