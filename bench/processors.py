"""`make bench-processors`: transformers' image processors beside the path that stands for them.

Milliseconds of CPU a photograph of 640 x 480, with each processor's own settings, medians.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.table import Table
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

from wherry.tasks.backends.image.pixels import Pixels
from wherry.tasks.backends.image.processor_table import KNOWN


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.processors", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    given = parser.parse_args()
    image = _photograph()
    found = {name: _measured(_processor(name), image, given.rounds) for name in KNOWN}
    if given.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    table = Table("processor", "its own ms", "ours", "ratio")
    for name, ms in found.items():
        table.add_row(name, *(f"{ms[of]:.1f}" for of in ("own", "ours", "ratio")))
    Console().print(table)


def _photograph() -> Image.Image:
    import sklearn

    path = Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg"
    with Image.open(path) as opened:
        return opened.convert("RGB").resize((640, 480))


def _processor(name: str) -> Any:
    """A class that needs no torchvision, as its first model type's module has it."""
    whole = f"{name}ImageProcessorPil"
    for kind, forms in IMAGE_PROCESSOR_MAPPING_NAMES.items():
        module = kind.replace("-", "_")
        place = f"transformers.models.{module}.image_processing_pil_{module}"
        if whole in forms.values() and importlib.util.find_spec(place):
            found = getattr(importlib.import_module(place), whole, None)
            if found is not None:
                return found()
    raise LookupError(whole)


def _measured(processor: Any, image: Image.Image, rounds: int) -> dict[str, float]:
    pixels = Pixels.from_config(processor.to_dict())
    assert pixels is not None
    more = {"task_inputs": ["semantic"]} if "OneFormer" in type(processor).__name__ else {}
    ways = (
        lambda: processor(images=[image], return_tensors="np", **more),
        lambda: pixels.normalise([pixels.fit(image)]),
    )
    own, ours = _in_turn(ways, rounds)
    return {"own": own, "ours": ours, "ratio": own / ours}


def _in_turn(ways: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, times in zip(ways, taken, strict=True):
            started = time.process_time()
            way()
            times.append((time.process_time() - started) * 1000)
    return [statistics.median(times) for times in taken]


if __name__ == "__main__":
    main()
