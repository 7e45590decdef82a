"""What `wherry annotate` wrote for Label Studio, held against configurations by its SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..client.annotate.answers import box, disc, examples, row, segment, written
from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

PACKAGE = "label-studio-sdk==2.1.2"


def view(controls: str, medium: str = "Image") -> str:
    """A labelling configuration, as docs/annotate.md gives them."""
    name = medium.lower()
    return f'<View><{medium} name="{name}" value="${name}"/>{controls}</View>'


def labels(control: str, name: str, *values: str, one: str = "Label", to: str = "image") -> str:
    held = "".join(f'<{one} value="{value}"/>' for value in values)
    return f'<{control} name="{name}" toName="{to}">{held}</{control}>'


TEXT = '<TextArea name="text" toName="image"/>'
LINES = (
    '<Rectangle name="line" toName="image"/><TextArea name="text" toName="image" perRegion="true"/>'
)
MASKS = [
    disc(40, 30, 9, (64, 48)) & ~disc(44, 28, 3, (64, 48)),
    np.random.default_rng(0).random((48, 64)) < 0.5,
    np.zeros((48, 64), bool),
]
NOSE = {"label": "nose", "score": 0.5, "x": 320, "y": 120, "object": 0}

#: Task -> configuration, rows.
CASES: dict[str, tuple[str, list[Any]]] = {
    "object-detection": (
        view(labels("RectangleLabels", "box", "boat", "gull")),
        [
            row(
                "object-detection",
                0,
                [box("boat", 0.5, -9, 48, 320, 999), box("gull", 1, 0, 0, 9, 9)],
            ),
            row("object-detection", 1, []),
        ],
    ),
    "image-segmentation": (
        view(labels("BrushLabels", "brush", "a", "b", "c")),
        [
            row(
                "image-segmentation",
                0,
                [segment(label, 0.5, mask) for label, mask in zip("abc", MASKS, strict=True)],
                size=(64, 48),
            )
        ],
    ),
    "keypoint-detection": (
        view(labels("KeyPointLabels", "keypoint", "nose")),
        [row("keypoint-detection", 0, [NOSE])],
    ),
    "image-classification": (
        view(labels("Choices", "choice", "fog", "wall", one="Choice")),
        examples("image-classification"),
    ),
    "audio-classification": (
        view(labels("Choices", "choice", "silence", "wind", one="Choice", to="audio"), "Audio"),
        examples("audio-classification"),
    ),
    "optical-character-recognition": (view(LINES), examples("optical-character-recognition")),
    "image-to-text": (view(TEXT), examples("image-to-text")),
    "visual-question-answering": (view(TEXT), examples("visual-question-answering")),
}


@pytest.fixture(scope="module")
def answers(
    environment: Environment,
    drive: Callable[..., list[dict[str, Any]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, Any]]:
    """What the SDK says of each case; `wrong` is one that it must refuse."""
    folder: Path = tmp_path_factory.mktemp("predictions")
    for task, (config, rows) in CASES.items():
        (folder / f"{task}.xml").write_text(config)
        written("label-studio", folder / f"{task}.json", rows, task)
    (folder / "wrong.xml").write_text(view(labels("RectangleLabels", "box", "ship")))
    held = json.loads((folder / "object-detection.json").read_text())
    (folder / "wrong.json").write_text(json.dumps(held))
    python = environment("label-studio-sdk", PACKAGE)
    return {line["case"]: line for line in drive(python, "label_studio_sdk_client.py", folder)}


@pytest.mark.parametrize("task", CASES)
def test_the_sdk_takes_the_predictions(answers, task):
    assert answers[task]["errors"] == []
    assert answers[task]["tasks"] == len(CASES[task][1])


def test_the_sdk_would_say_so(answers):
    assert any("boat" in error for error in answers["wrong"]["errors"])


def test_the_sdk_decodes_the_brush_strokes(answers):
    pixels = [np.packbits(mask).tobytes().hex() for mask in MASKS]
    assert answers["image-segmentation"]["set"] == pixels
