"""Graphs that quantise as they run: a tensor's scale would tell rows of each other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime.quantization import quantize_dynamic

from wherry.protocol.errors import RowError
from wherry.tasks.create import LocalTask, create_task

from ....support import sounds, tiny

TOLERANCE = 1e-5

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "audio-classification-masked": (
        "audio-classification",
        {
            "audio": [tone.tobytes() for tone in sounds.tones()],
            "sample_rate": sounds.RATE,
            "top_k": 3,
        },
    ),
    "image-classification": ("image-classification", {"images": tiny.images(), "top_k": 3}),
    "text-classification": (
        "text-classification",
        {"texts": ["a cat", "the red car is beside the dog", "hello " * 30], "top_k": 3},
    ),
}


def scores(task: LocalTask, rows: list[Any]) -> list[list[float]]:
    found = []
    for answer in task.backend.run(rows):
        assert not isinstance(answer, RowError)
        found.append([label["score"] for label in answer.model_dump()["results"][0]])
    return found


@pytest.mark.parametrize("name", CASES)
def test_no_row_tells_of_another(
    name: str, tiny_graph: Callable[[str, str], Path], tmp_path: Path
) -> None:
    kind, fields = CASES[name]
    of_floats = tiny_graph(name, kind)
    folder = shutil.copytree(of_floats, tmp_path / "quantized")
    quantize_dynamic(of_floats / "model.onnx", folder / "model.onnx")
    task = create_task("onnxruntime", kind, str(folder))
    assert task.backend.graph.rows_alone  # type: ignore[attr-defined] # a DialectBackend
    rows = task.task.input.validated(fields).rows()
    together = scores(task, rows)
    alone = [own for row in rows for own in scores(task, [row])]
    assert np.array(together) == pytest.approx(np.array(alone), abs=TOLERANCE)
    assert np.ptp(together, axis=0).max() > 10 * TOLERANCE  # rows do differ
