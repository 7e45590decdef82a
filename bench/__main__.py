"""`make bench`: one table, one run, one machine. Ratios travel; times do not."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.protocol import codec
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.vision.image_classification import ImageClassificationInput

from . import load, vit
from .peers.servers import PEERS

_NOOP, _CLIENTS, _ROUNDS, _IMAGES, _BATCH = 4000, (64, 256), 7, 640, 16

_MODELS = """
[[models]]
name = "noop"
task = "embedding"
backend = "stub"
max_batch_size = 64

[[models]]
name = "vit"
task = "image-classification"
backend = "transformers"
source = "{vit}"
max_batch_size = {batch}
parameters = {{ threads = 1 }}
"""


#: FastAPI, Celery and Redis, a task a request.
_PLAIN = next(peer for peer in PEERS if peer.name == "celery")


def main() -> None:
    """Measure and print."""
    console = Console(width=max(Console().width, 110))  # figures must not be cut
    table = Table("what", "reached", "held against", "ratio", "target")
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        vit.save_model(folder / "vit")
        models = folder / "models.toml"
        models.write_text(_MODELS.format(vit=folder / "vit", batch=_BATCH))
        with Stack(models=models, data_dir=folder, flower=False) as stack:
            _noop(stack, folder, table)
            _latency(stack, table)
        with Stack(models=models, data_dir=folder / "images", flower=False) as stack:
            _images(stack, folder, table)
    console.print(table)


def _request(path: str, text: str) -> load.Request:
    inputs = EmbeddingInput(texts=[text]).to_inference_request()
    body, _ = codec.encode_request(inputs, binary=False)
    return load.Request(path, body)


def _noop(stack: Stack, folder: Path, table: Table) -> None:
    """Submit to result readable, 1 KB in; turn about with the plain service, since a shared
    machine's speed changes by the second.
    """
    text = "x" * 1000
    ours = [_request("/v2/models/noop/infer", text) for _ in range(_NOOP)]
    theirs = [load.Request("/infer", text.encode()) for _ in range(_NOOP // 8)]
    with _PLAIN.serving(folder, "noop", "", b"x") as plain:
        plain_url = plain.url
        for clients in _CLIENTS:
            load.run(stack.url, ours[:500], clients)
            load.run(plain_url, theirs[:100], clients)
            rates = [
                (load.run(stack.url, ours, clients).rate, load.run(plain_url, theirs, clients).rate)
                for _ in range(_ROUNDS)
            ]
            _compare(table, clients, rates)
    with Client(stack.url) as client:
        inputs = (EmbeddingInput(texts=[text]) for _ in range(_NOOP))
        started = time.perf_counter()
        count = sum(1 for _ in client.map("noop", inputs, in_flight=1000))
        mapped = count / (time.perf_counter() - started)
    table.add_row("no-op jobs/s, Client.map", f"{mapped:.0f}/s", "", "", "")


def _compare(table: Table, clients: int, rates: list[tuple[float, float]]) -> None:
    ratios = sorted(one / other for one, other in rates)
    table.add_row(
        f"no-op jobs/s, HTTP submit to result, {clients} clients, median of {len(rates)} rounds",
        f"{statistics.median(one for one, _ in rates):.0f}/s",
        "FastAPI + Celery + Redis, a task a request: "
        f"{statistics.median(other for _, other in rates):.0f}/s",
        f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})",
        ">= 5",
    )


def _latency(stack: Stack, table: Table) -> None:
    """One client, nothing else running."""
    requests = [_request("/v2/models/noop/infer", f"text {n}") for n in range(400)]
    alone = load.run(stack.url, requests, 1)
    table.add_row(
        "latency alone, submit to result: p50, p99",
        f"{alone.percentile_ms(0.5):.1f} ms, {alone.percentile_ms(0.99):.1f} ms",
        "",
        "",
        "p50 <= 10 ms",
    )


def _images(stack: Stack, folder: Path, table: Table) -> None:
    """A ViT through the fleet, between two runs of the same model in a plain loop."""
    images = vit.photographs(_IMAGES)
    with Client(stack.url, timeout_s=120) as client:
        list(client.map("vit", (ImageClassificationInput(images=[i]) for i in images[:64])))
        before = vit.plain_loop(folder / "vit", images, _BATCH)
        stats = _stats(stack)
        started = time.perf_counter()
        inputs = (ImageClassificationInput(images=[image]) for image in images)
        count = sum(1 for _ in client.map("vit", inputs, in_flight=256))
        fleet = count / (time.perf_counter() - started)
        fill = _fill(stats, _stats(stack))
        after = vit.plain_loop(folder / "vit", images, _BATCH)
    limit = (before + after) / 2
    table.add_row(
        f"ViT-Tiny images/s, 640 x 480 JPEG, batch {_BATCH}",
        f"{fleet:.1f}/s",
        f"the same in one plain loop: {before:.1f}/s before, {after:.1f}/s after",
        f"{fleet / limit:.2f}",
        ">= 0.90",
    )
    table.add_row("batch fill under load", f"{fill:.2f}", "", "", ">= 0.9")


def _stats(stack: Stack) -> tuple[int, int]:
    url = f"{stack.url}/v2/models/vit/stats"
    stats = httpx.get(url).json()["model_stats"][0]
    return stats["inference_count"], stats["execution_count"]


def _fill(before: tuple[int, int], after: tuple[int, int]) -> float:
    rows, executions = after[0] - before[0], after[1] - before[1]
    return rows / (executions * _BATCH)


if __name__ == "__main__":
    main()
