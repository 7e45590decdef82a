"""`make bench-metrics`: what metrics cost. Fleets side by side, the same but for their metrics.

One observes nothing (`without_metrics/`), one observes, one is scraped each second besides, as by
a Prometheus in a hurry: the API and its worker. All are asked in turn, so that a ratio is of one
round; medians are told. CPU is read of each process, for it is steadier than the rate on a machine
that has more to do. What Redis counts is in all of them: another checkout, whose own environment
has it installed, tells that (`--before ../older`).
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from wherry.protocol import codec
from wherry.tasks.text.embedding import EmbeddingInput

from . import load
from .bulk import stack
from .shown import show
from .start import cpu_s

_HERE = Path(__file__).parents[1]
_WITHOUT = Path(__file__).parent / "without_metrics"

#: Processes as they are told; whatever else runs counts for none of them.
_PROCESSES = ("api", "redis", "worker")

#: Loads: rows of one request, and of how many clients.
_LOADS = {"no-op": (1, 64), "texts": (32, 16)}


@dataclass
class Fleet:
    """A fleet, and what each load came to, a value a round."""

    name: str
    folder: Path = _HERE
    env: dict[str, str] = field(default_factory=dict)
    is_scraped: bool = False
    url: str = ""
    #: The process above all of its.
    root: int = 0
    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    #: µs of CPU a request, by load and process.
    cpu_us: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, what: str, seconds: float) -> None:
        """Send a load for about so long."""
        rows, clients = _LOADS[what]
        seen = self.rates[what]
        count = max(clients, int(seconds * seen[-1])) if seen else 20 * clients
        with _scraped(self) if self.is_scraped else contextlib.nullcontext():
            before = cpu_s(self.root)
            rate = load.run(self.url, [_request(rows)] * count, clients).rate
            used = dict.fromkeys(_PROCESSES, 0.0)
            for service, spent in cpu_s(self.root).items():
                name = service.partition("-")[0]
                if name in used:
                    used[name] += spent - before.get(service, 0.0)
        seen.append(rate)
        for name, spent in used.items():
            self.cpu_us[what, name].append(spent / count * 1e6)


@contextlib.contextmanager
def _scraped(fleet: Fleet) -> Iterator[None]:
    """Read the fleet's pages each second, all that its discovery lists."""
    over = threading.Event()
    with httpx.Client(timeout=10) as http:
        targets = http.get(f"{fleet.url}/v2/metrics/targets").raise_for_status().json()
        pages = [f"http://{each['targets'][0]}/metrics" for each in targets]
        assert len(pages) > 1, targets

        def scrape() -> None:
            while True:
                for page in pages:
                    http.get(page).raise_for_status()
                if over.wait(1.0):
                    return

        thread = threading.Thread(target=scrape)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _request(rows: int) -> load.Request:
    asked = EmbeddingInput(texts=["x" * 1000] * rows).to_inference_request()
    return load.Request("/v2/models/vectors/infer", codec.encode_request(asked, binary=False)[0])


def _ratios(mine: Sequence[float], first: Sequence[float]) -> float:
    """The median over rounds of what is mine to what is the first's; the first round warms up."""
    return statistics.median(a / b for a, b in list(zip(mine, first, strict=True))[1:])


def _report(fleets: Sequence[Fleet]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for what in _LOADS:
        for fleet in fleets:
            first = fleets[0]
            cpu = {name: statistics.median(fleet.cpu_us[what, name][1:]) for name in _PROCESSES}
            sums, firsts = (
                [sum(each) for each in zip(*(of.cpu_us[what, n] for n in _PROCESSES), strict=True)]
                for of in (fleet, first)
            )
            rows.append(
                {
                    "load": what,
                    "fleet": fleet.name,
                    "requests_per_s": round(statistics.median(fleet.rates[what][1:])),
                    "rate_ratio": round(_ratios(fleet.rates[what], first.rates[what]), 4),
                    **{f"{name}_cpu_us": round(us, 1) for name, us in cpu.items()},
                    "cpu_ratio": round(_ratios(sums, firsts), 4),
                }
            )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.metrics", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="one without any of it")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each load in a round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    fleets = [
        Fleet("without", env={"PYTHONPATH": str(_WITHOUT), "WHERRY_METRICS_PORT": "0"}),
        Fleet("with"),
        Fleet("scraped", is_scraped=True),
    ]
    if options.before:
        fleets.append(Fleet("before", folder=options.before.resolve()))
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name, contextlib.ExitStack() as up:
        for fleet in fleets:
            started = stack(fleet.folder, Path(name) / fleet.name, env=fleet.env)
            fleet.url, fleet.root = up.enter_context(started)
        for number in range(options.rounds + 1):
            for what in _LOADS:
                # In turn, and the first not always first: the machine's other work meets all.
                for place in range(len(fleets)):
                    fleets[(number + place) % len(fleets)].measure(what, options.seconds)
    show(_report(fleets), as_json=options.json)


if __name__ == "__main__":
    main()
