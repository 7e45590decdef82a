"""`make bench-tracing`: what traces cost, by the CPU of each process and the rate of requests.

Fleets that differ in tracing alone run side by side and are asked in turn: off, a hundredth of the
requests recorded, all of them; spans go to a receiver that reads and drops them. A stub answers at
once, so that nothing but a request's own cost is seen: a model that computes makes it less. With
another checkout, whose own environment has it installed, its fleet is the first:
`python -m bench.tracing --before ../older`. Ratios are of one round each, and their median is told.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .bulk import stack
from .noop import PROCESSES, Tree
from .shown import show

_HERE = Path(__file__).parents[1]
_CLIENTS = 64

#: Samplers of the environment by how much is recorded; none where tracing is off.
_SAMPLED = {"off": "", "1 % recorded": "0.01", "all recorded": "1.0"}


def _settings(ratio: str, collector: str) -> Mapping[str, str]:
    if not ratio:
        return {"WHERRY_TRACING": "off"}
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": ratio,
    }


@contextlib.contextmanager
def _collector() -> Iterator[str]:
    command = [sys.executable, "-m", __spec__.name if __spec__ else "bench.tracing", "--sink"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def _sink() -> None:
    """Take whatever is posted, and keep nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def _report(fleets: Mapping[str, Tree]) -> list[dict[str, object]]:
    """A row a fleet: medians of rounds, and of each round's ratio to the first's."""
    first = next(iter(fleets.values()))
    rows: list[dict[str, object]] = []
    for name, fleet in fleets.items():
        rates = zip(fleet.rates[_CLIENTS], first.rates[_CLIENTS], strict=True)
        used, before = (_whole(each) for each in (fleet, first))
        rows.append(
            {
                "tracing": name,
                "requests_per_s": round(statistics.median(fleet.rates[_CLIENTS])),
                "rate_to_first": round(statistics.median(a / b for a, b in rates), 3),
                "cpu_to_first": round(
                    statistics.median(a / b for a, b in zip(used, before, strict=True)), 3
                ),
                **{
                    f"{each}_cpu_us": round(statistics.median(fleet.cpu_us[_CLIENTS, each]))
                    for each in PROCESSES
                },
            }
        )
    return rows


def _whole(fleet: Tree) -> Sequence[float]:
    """CPU of all processes, a value a round."""
    each = (fleet.cpu_us[_CLIENTS, name] for name in PROCESSES)
    return [sum(values) for values in zip(*each, strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracing", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="the one to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=4000, help="of each round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sink:
        asyncio.run(_sink())
        return
    with (
        tempfile.TemporaryDirectory(prefix="wherry-bench-") as name,
        contextlib.ExitStack() as up,
    ):
        collector = up.enter_context(_collector())
        fleets = {"before": Tree(options.before.resolve())} if options.before else {}
        fleets |= {sampled: Tree(_HERE) for sampled in _SAMPLED}
        for number, (sampled, fleet) in enumerate(fleets.items()):
            env = {} if sampled == "before" else _settings(_SAMPLED[sampled], collector)
            folder = Path(name) / str(number)
            fleet.url, fleet.root = up.enter_context(stack(fleet.folder, folder, env=env))
            fleet.measure(_CLIENTS, 1000)
            fleet.rates.clear()
            fleet.cpu_us.clear()
        for _ in range(options.rounds):
            for fleet in fleets.values():
                fleet.measure(_CLIENTS, options.requests)
        show(_report(fleets), as_json=options.json)


if __name__ == "__main__":
    main()
