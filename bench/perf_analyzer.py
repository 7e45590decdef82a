"""`make bench-perf-analyzer`: what Triton's own load generator measures of a fleet.

It starts a fleet of its own: a graph on ONNX Runtime, requests of one row of three numbers, and
texts answered by a stub. Each load runs until three windows of `--seconds` agree within 10 %, ten
windows at most; one that never did runs once more, for three windows, and `steady` says so.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support import perf_analyzer
from tests.support.models import model

from wherry.ops.stack import Stack

from .shown import show

_MODELS = model(
    "tensor",
    backend="onnxruntime",
    source="package:wherry.samples/weights/arithmetic",
    max_batch_size=64,
) + model("embedding", max_batch_size=64)

_NUMBERS, _TEXT = ("--shape", "x:3"), ("--string-data", "a boat")

#: What is asked -> its model, over what, and its flags.
_LOADS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "tensor, HTTP": ("tensor", "http", _NUMBERS),
    "tensor, HTTP, async": ("tensor", "http", (*_NUMBERS, "--async")),
    "tensor, gRPC": ("tensor", "grpc", _NUMBERS),
    "tensor, gRPC, async": ("tensor", "grpc", (*_NUMBERS, "--async")),
    "tensor, gRPC, stream": ("tensor", "grpc", (*_NUMBERS, "--async", "--streaming")),
    "text, HTTP": ("embedding", "http", _TEXT),
    "text, gRPC": ("embedding", "grpc", _TEXT),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--seconds", type=float, default=2.0, help="of one window")
    parser.add_argument("--json", action="store_true", help="rows of JSON, no table")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wherry-perf-") as name:
        folder = Path(name)
        command = perf_analyzer.fetch(folder / "perf-analyzer")
        (folder / "models.toml").write_text(_MODELS)
        stack = Stack(
            models=folder / "models.toml",
            data_dir=folder / "data",
            flower=False,
            grpc_port=0,
            env={"WHERRY_TRITON_SHAPES": "true"},
        )
        with stack:
            rows = list(_measure(command, folder, stack, asked.concurrency, asked.seconds))
    show(rows, as_json=asked.json)


def _measure(
    command: Path, folder: Path, stack: Stack, concurrency: list[int], seconds: float
) -> Iterator[dict[str, object]]:
    for what, (name, over, given) in _LOADS.items():
        url = stack.url if over == "http" else stack.grpc_url
        for in_flight in concurrency:
            table = folder / "figures.csv"
            table.unlink(missing_ok=True)
            asked = ("-m", name, "-i", over, "-u", url.split("://")[-1], *given)
            windows = perf_analyzer.flags(
                measurement_interval=round(seconds * 1000), concurrency_range=in_flight
            )
            written = (*asked, *windows, "-f", str(table))
            ran = perf_analyzer.run(command, folder, *written)
            steady = ran.status == 0
            if not steady:
                ran = perf_analyzer.run(command, folder, *written, "--stability-percentage=999")
            if ran.status:
                raise SystemExit(ran.said)
            yield {"load": what, "in_flight": in_flight, **_figures(table), "steady": steady}


def _figures(table: Path) -> dict[str, object]:
    with table.open() as lines:
        [row] = csv.DictReader(lines)
    return {
        "requests/s": round(float(row["Inferences/Second"])),
        "p50_ms": round(int(row["p50 latency"]) / 1e3, 1),
        "p99_ms": round(int(row["p99 latency"]) / 1e3, 1),
    }


if __name__ == "__main__":
    main()
