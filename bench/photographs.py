"""`make bench-photographs`: large photographs, `decode = "scaled"` beside `exact` and a plain loop.

What decoding and resizing cost a picture, in ms of CPU; then a folder of JPEG photographs of 12
megapixels annotated through a fleet, in turn with a plain loop of Pillow, the processor and the
model, and what each process of the fleet takes of a core for one.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.ops.stack import Stack
from wherry.tasks.backends.image.fitting import fitted
from wherry.tasks.backends.image.pixels import Pixels
from wherry.tasks.vision.image_classification import ImageClassificationInput
from wherry.tasks.vision.images import MAX_PIXELS

from . import vit
from .start import cpu_s

_SIZE = (4000, 3000)
_BATCH = 16

_MODELS = """
[[models]]
name = "{decode}"
task = "image-classification"
backend = "transformers"
source = "{vit}"
max_batch_size = {batch}
parameters = {{ threads = 1, decode = "{decode}" }}

[[models]]
name = "stub"
task = "image-classification"
backend = "stub"
max_batch_size = {batch}
"""


def photographs(count: int) -> Iterator[bytes]:
    """JPEG files of 12 megapixels and some 3 MB, with edges and a camera's noise."""
    import sklearn

    folder = Path(sklearn.__file__).parent / "datasets" / "images"
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 4, (_SIZE[1], _SIZE[0], 1)).astype(np.float32)
    for number in range(count):
        with Image.open(folder / ("china.jpg", "flower.jpg")[number % 2]) as opened:
            left, top = (int(v) for v in rng.integers(0, 60, 2))
            part = opened.convert("RGB").crop((left, top, left + 560, top + 360))
        large = np.asarray(part.resize(_SIZE, Image.Resampling.BICUBIC)) + noise
        buffer = io.BytesIO()
        Image.fromarray(large.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        yield buffer.getvalue()


def decoding(jpeg: bytes, rounds: int) -> dict[str, dict[str, float]]:
    """ms of CPU to decode a picture and resize it for a model of 224 pixels, by its kind."""
    found = {}
    for kind in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        if kind != "JPEG":
            Image.open(io.BytesIO(jpeg)).save(buffer, kind, quality=80, compress_level=1)
        row = ImageClassificationInput(images=[buffer.getvalue() or jpeg])
        for resample in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
            config = {"image_processor_type": "ViTImageProcessor", "resample": resample}
            pixels = Pixels.from_config(config)
            assert pixels is not None
            told = f"{kind}, {resample.name.lower()}"
            ways = {
                decode: functools.partial(fitted, row, pixels, MAX_PIXELS, scaled=scaled)
                for decode, scaled in (("exact", False), ("scaled", True))
            }
            found[told] = _in_turn(ways, rounds)
    return found


def _in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median ms of CPU of each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.process_time()
            way()
            taken[name].append((time.process_time() - started) * 1000)
    return {name: round(statistics.median(times), 1) for name, times in taken.items()}


def runs(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """Rows a second of the loop and of whole runs, and ms of CPU a row by process, medians."""
    rates: dict[str, list[float]] = {"loop": [], "exact": [], "scaled": []}
    spent: dict[str, dict[str, list[float]]] = {"exact": {}, "scaled": {}, "stub": {}}
    for _ in range(rounds):
        rates["loop"].append(_loop(folder))
        for decode in ("exact", "scaled"):
            with _fleet(folder, decode) as client:
                _run(client, "stub", folder, count)  # warms what reads files, and the API
                for model in (decode, "stub"):
                    before = cpu_s(os.getpid())
                    seconds = _run(client, model, folder, count)
                    if model == decode:
                        rates[decode].append(count / seconds)
                    for service, now in cpu_s(os.getpid()).items():
                        ms = (now - before.get(service, 0.0)) / count * 1000
                        spent[model].setdefault(service, []).append(ms)
    loop = rates["loop"]
    return {
        "rows_per_s": {name: round(statistics.median(of), 2) for name, of in rates.items()},
        "to_the_loop": {
            name: round(statistics.median(a / b for a, b in zip(rates[name], loop, strict=True)), 2)
            for name in ("exact", "scaled")
        },
        "cpu_ms_per_row": {
            model: {service: round(statistics.median(ms), 1) for service, ms in of.items()}
            for model, of in spent.items()
        },
    }


@contextmanager
def _fleet(folder: Path, decode: str) -> Iterator[Client]:
    models = folder / "models.toml"
    models.write_text(_MODELS.format(vit=folder / "vit", decode=decode, batch=_BATCH))
    with (
        tempfile.TemporaryDirectory(dir=folder) as data,
        Stack(models=models, data_dir=Path(data), flower=False) as stack,
        Client(stack.url, timeout_s=120) as client,
    ):
        yield client


def _run(client: Client, model: str, folder: Path, count: int) -> float:
    """Seconds of a whole run."""
    out = folder / f"{model}-{time.monotonic_ns()}.jsonl"
    options = Options(
        source=str(folder / "photos"), model=model, out=out, reuse=False, report=False
    )
    started = time.perf_counter()
    summary = annotate(client, options)
    assert (summary.rows, summary.failed) == (count, 0)
    return time.perf_counter() - started


def _loop(folder: Path) -> float:
    """Rows a second of the plain loop, in a process of its own."""
    command = [sys.executable, "-m", "bench.photographs", "--loop", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rate: float = json.loads(done.stdout.splitlines()[-1])
    return rate


def loop(folder: Path) -> float:
    """Decode whole, have the processor make the pixels, and the model answer."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    torch.set_num_threads(1)
    processor: Any = AutoImageProcessor.from_pretrained(folder / "vit")
    model: Any = AutoModelForImageClassification.from_pretrained(folder / "vit").eval()
    files = sorted((folder / "photos").iterdir())
    started = time.perf_counter()
    for start in range(0, len(files), _BATCH):
        images = [Image.open(file).convert("RGB") for file in files[start : start + _BATCH]]
        with torch.inference_mode():
            model(**processor(images=images, return_tensors="pt")).logits.softmax(-1).tolist()
    return len(files) / (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.photographs", description=__doc__)
    parser.add_argument("--count", type=int, default=48, help="photographs in the folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.loop:
        sys.stdout.write(json.dumps(loop(given.loop)) + "\n")
        return
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        vit.save_model(folder / "vit")
        (folder / "photos").mkdir()
        jpegs = list(photographs(given.count))
        for number, jpeg in enumerate(jpegs):
            (folder / "photos" / f"{number:04}.jpg").write_bytes(jpeg)
        found = {
            "megabytes": round(statistics.mean(map(len, jpegs)) / 1e6, 2),
            "decoding_ms": decoding(jpegs[-1], 2 * given.rounds + 1),
            **runs(folder, given.count, given.rounds),
        }
    if given.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    console = Console(width=max(Console().width, 100))
    table = Table("12 megapixels to 224 pixels, ms of CPU", "exact", "scaled", "ratio")
    for kind, ms in found["decoding_ms"].items():
        ratio = f"{ms['exact'] / ms['scaled']:.1f}"
        table.add_row(kind, str(ms["exact"]), str(ms["scaled"]), ratio)
    console.print(table)
    rates, ratios = found["rows_per_s"], found["to_the_loop"]
    table = Table(f"photographs of {found['megabytes']} MB", "rows/s", "to the plain loop")
    table.add_row("plain loop: Pillow, the processor, ViT-Tiny", str(rates["loop"]), "")
    for name in ("exact", "scaled"):
        table.add_row(f'annotate, decode = "{name}"', str(rates[name]), str(ratios[name]))
    console.print(table)
    spent = found["cpu_ms_per_row"]
    table = Table("ms of CPU a photograph", *spent)
    for service in spent["stub"]:
        table.add_row(service, *(str(of.get(service, "")) for of in spent.values()))
    console.print(table)


if __name__ == "__main__":
    main()
