from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from training.digits import train

from wherry.tasks.create import create_task


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_training_reaches_what_the_card_says(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own: it is old, and traces shapes
        reached = train(tmp_path)
    assert reached >= 0.98
    for backend in ("transformers", "onnxruntime"):
        with create_task(backend, "image-classification", str(tmp_path)) as task:
            assert task.backend.run([task.backend.example()])
