"""`make bench-tracing`: what traces cost, by one fleet that traces and does not, in short turns.

Off, a hundredth of the requests recorded, all of them; spans go to a receiver that reads and drops
them. A stub answers at once, so that nothing but a request's own cost is seen: a model that
computes makes it less.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .in_turn import Seen, in_turn, rows, switched
from .metrics import request
from .shown import show

_CLIENTS, _REQUESTS = 64, 1600

#: Off, and shares of the requests that are recorded.
_STATES = ("off", "traces:0.0", "traces:0.01", "traces:1.0")


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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=80)
    parser.add_argument("--states", nargs="+", default=_STATES, help="the first is compared with")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sink:
        asyncio.run(_sink())
        return
    requests = [request()] * _REQUESTS
    with (
        tempfile.TemporaryDirectory(prefix="wherry-bench-") as name,
        _collector() as collector,
        switched(
            Path(name),
            WHERRY_TRACING="off",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector,
            OTEL_TRACES_SAMPLER="parentbased_traceidratio",
            OTEL_TRACES_SAMPLER_ARG="0",
        ) as fleet,
    ):

        def turn(state: str, seen: Seen) -> None:
            fleet.turn(seen, state, requests, _CLIENTS)

        show(rows(in_turn(options.states, options.rounds, turn)), as_json=options.json)


if __name__ == "__main__":
    main()
