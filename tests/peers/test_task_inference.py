"""task-inference 0.1.1b1, the library that Wherry's tasks come from, as a client of our stack.

Its own Input classes write each request, its own Output classes read each answer, in an
environment of its own; the answers are held against what our client reads for the same input.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from wherry.client import Client
from wherry.tasks.registry import get_task
from wherry.tasks.values.masks import write_mask

from .conftest import Environment
from .leaves import leaves

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

PACKAGE = "task-inference==0.1.1b1"
#: What seed_client.py asks for, as fields of our inputs.
FIELDS: dict[str, dict[str, Any]] = {
    "audio-classification": {"sample_rate": 16_000, "top_k": 2},
    "automatic-speech-recognition": {"sample_rate": 16_000},
    "depth-estimation": {},
    "image-anonymization": {"strategy": "pixelate", "classes": ["circle"]},
    "image-classification": {"top_k": 3},
    "image-segmentation": {"threshold": 0.1},
    "mask-generation": {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.0},
    "object-detection": {"threshold": 0.2},
    "visual-question-answering": {"question": "what is this?", "top_k": 2},
    "zero-shot-image-classification": {"candidate_labels": ["circle", "square"]},
    "zero-shot-object-detection": {"candidate_labels": ["circle", "square"], "threshold": 0.0},
}
WIRES = ("as_json", "as_binary")

#: What fills a row up that has fewer masks than another: a picture of the inputs' size.
EMPTY_MASK = write_mask(np.zeros((48, 64), np.bool_))

Parsed = dict[tuple[str, str, int], dict[str, Any]]


@pytest.fixture(scope="module")
def seed_python(environment: Environment) -> Path:
    """What task-inference's protocol imports alone: it pins a transformers that this needs not."""
    return environment("seed", f"--no-deps {PACKAGE}", same=("numpy", "pillow", "pydantic"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of a circle and one of noise, of one size; two sounds of two lengths."""
    folder = tmp_path_factory.mktemp("inputs")
    random = np.random.default_rng(0)
    for index in range(2):
        pixels = random.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        if index == 0:
            image.paste("white", (0, 0, 64, 48))
            ImageDraw.Draw(image).ellipse((16, 8, 48, 40), fill="red")
        image.save(folder / f"{index}.png")
        sound = random.normal(0, 0.1, 8_000 + 4_000 * index).astype("<f4")
        (folder / f"{index}.pcm").write_bytes(sound.tobytes())
    return folder


@pytest.fixture(scope="module")
def parsed(seed_python: Path, inputs: Path, client: Client) -> Parsed:
    """What task-inference read: task, wire form, rows -> a line of seed_client.py."""
    script = Path(__file__).with_name("seed_client.py")
    done = subprocess.run(
        [seed_python, script, client.url, inputs], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    lines = map(json.loads, done.stdout.splitlines())
    return {(line["task"], line["wire"], len(line["rows"])): line for line in lines}


def ours(client: Client, task_name: str, folder: Path, count: int) -> list[Counter[str]]:
    """What our client reads for the same rows."""
    task = get_task(task_name)
    field, suffix = ("audio", "pcm") if task.family == "audio" else ("images", "png")
    files = [path.read_bytes() for path in sorted(folder.glob(f"*.{suffix}"))[:count]]
    output = client.infer(task_name, task.input(**{field: files}, **FIELDS[task_name]), 60)
    assert isinstance(output, task.output)
    rows = [row.model_dump(exclude=set(task.output.ASIDE)) for row in output.rows()]
    for row in rows:
        if task_name == "depth-estimation":
            (depth,) = row["predicted_depth"]
            row["predicted_depth"] = np.frombuffer(depth["values"], "<f4").tolist()
    return [Counter(leaves(row)) for row in rows]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    "task", [pytest.param(t, marks=pytest.mark.call(PACKAGE, t)) for t in sorted(FIELDS)]
)
def test_it_reads_what_our_client_reads(
    task: str, wire: str, parsed: Parsed, client: Client, inputs: Path
) -> None:
    (row,) = parsed[task, wire, 1]["rows"]
    assert leaves(row), "an empty answer would show nothing"
    assert [Counter(leaves(row))] == ours(client, task, inputs, 1)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("task", sorted(FIELDS))
def test_rows_of_different_lengths_all_arrive(
    task: str, wire: str, parsed: Parsed, client: Client, inputs: Path
) -> None:
    # It knows no padding: entries that fill a shorter row up are entries to it.
    rows = parsed[task, wire, 2]["rows"]
    expected = ours(client, task, inputs, 2)
    assert len(rows) == len(expected) == 2
    for row, want in zip(rows, expected, strict=True):
        extra = Counter(leaves(row)) - want
        assert not want - Counter(leaves(row))
        assert set(extra) <= {"", "0.0000", *leaves(EMPTY_MASK)}


def test_every_task_that_it_has_was_asked(seed_python: Path, parsed: Parsed) -> None:
    code = (
        "from task_inference.tasks import audio, vision\n"
        "from task_inference import BaseTask\n"
        "for task in BaseTask.__subclasses__(): print(task.TASK_NAME)\n"
    )
    done = subprocess.run([seed_python, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == set(FIELDS)


def test_depth_keeps_the_size_of_the_image(parsed: Parsed) -> None:
    for wire in WIRES:
        assert parsed["depth-estimation", wire, 1]["fields"] == {"width": 64, "height": 48}
