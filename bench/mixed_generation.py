"""`make bench-mixed`: texts a second where each caller asks for another text.

64 clients ask one model through HTTP and the queue: all with the same parameters, and each with its
own `max_new_tokens` and `temperature`, turn about. The stub takes as long for a batch whatever its
rows ask for, so its ratio tells how well batches fill; the written models tell what callers gain or
lose by it. Lengths are drawn evenly from 1 to a bound; all alike ask for their mean.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from wherry.ops.stack import Stack
from wherry.samples import packaged
from wherry.samples.tiny import build

from .load import Measured, Request, run

_MODELS = """
[[models]]
name = "stub"
task = "text-generation"
backend = "stub"
max_batch_size = 32
parameters = {{ delay_s = 0.02 }}

[[models]]
name = "{name}"
task = "text-generation"
backend = "transformers"
source = "{source}"
max_batch_size = 32
parameters = {{ threads = 1 }}
"""

_CLIENTS = 64


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one model: medians over the rounds, and of their ratios."""

    model: str
    alike_per_s: float
    own_per_s: float
    #: Texts a second, each its own to all alike.
    ratio: float
    #: Rows a batch.
    alike_rows: float
    own_rows: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=1500, help="of the stub, a round and way")
    parser.add_argument("--smollm2", action="store_true", help="SmolLM2 135M for the tiny model")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        if options.smollm2:
            written = "smollm2"
            source = packaged.build("smollm2-135m-instruct", folder / written)
        else:
            written, source = "tiny", build("text-generation", folder / "tiny")
        models = folder / "models.toml"
        models.write_text(_MODELS.format(name=written, source=source))
        longest, count = (16, 64) if options.smollm2 else (64, 256)
        with Stack(models=models, data_dir=folder / "data", flower=False) as stack:
            found = [
                _compare(stack.url, "stub", 256, options.requests, options.rounds),
                _compare(stack.url, written, longest, count, options.rounds),
            ]
    if options.json:
        print(json.dumps([asdict(each) for each in found]))
    else:
        Console(width=max(Console().width, 100)).print(_table(found))


def _compare(url: str, model: str, longest: int, count: int, rounds: int) -> Found:
    chance = random.Random(0)  # not for secrets
    alike = [_asking(model, (1 + longest) // 2, 1.0)] * count
    each = [
        _asking(model, chance.randint(1, longest), 0.5 + client / _CLIENTS)
        for client in range(_CLIENTS)
    ]
    own = [each[number % _CLIENTS] for number in range(count)]
    for warm in (alike, own, own):  # by then the API knows what the workers can
        run(url, warm[: count // 2], _CLIENTS)
    ways: dict[str, list[tuple[Measured, float]]] = {"alike": [], "own": []}
    for _ in range(rounds):
        for name, requests in (("alike", alike), ("own", own)):
            before = _batches(url, model)
            measured = run(url, requests, _CLIENTS)
            ways[name].append((measured, count / (_batches(url, model) - before)))
    rates = {name: [m.rate for m, _ in runs] for name, runs in ways.items()}
    rows = {name: statistics.median(fill for _, fill in runs) for name, runs in ways.items()}
    return Found(
        model,
        alike_per_s=statistics.median(rates["alike"]),
        own_per_s=statistics.median(rates["own"]),
        ratio=statistics.median(o / a for a, o in zip(rates["alike"], rates["own"], strict=True)),
        alike_rows=rows["alike"],
        own_rows=rows["own"],
    )


def _asking(model: str, tokens: int, temperature: float) -> Request:
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a boat on the water"]}
    parameters = {
        "max_new_tokens": tokens,
        "do_sample": True,
        "temperature": temperature,
        "seed": 1,
    }
    body = json.dumps({"inputs": [text], "parameters": parameters}).encode()
    return Request(
        f"/v2/models/{model}/infer", body, headers=(("Content-Type", "application/json"),)
    )


def _batches(url: str, model: str) -> int:
    """How many forwards the model has done."""
    told = httpx.get(f"{url}/v2/models/{model}/stats").raise_for_status().json()
    return int(told["model_stats"][0]["execution_count"])


def _table(found: Sequence[Found]) -> Table:
    table = Table("model", title=f"Texts a second, {_CLIENTS} clients")
    for column in ("all alike", "rows a batch", "each its own", "rows a batch", "ratio"):
        table.add_column(column, justify="right")
    for each in found:
        table.add_row(
            each.model,
            f"{each.alike_per_s:.0f}",
            f"{each.alike_rows:.1f}",
            f"{each.own_per_s:.0f}",
            f"{each.own_rows:.1f}",
            f"{each.ratio:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
