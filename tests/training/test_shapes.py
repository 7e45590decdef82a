from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from training.shapes import target, train
from training.shapes_model import ANSWERS, build

from wherry.samples.shapes_data import Drawn
from wherry.tasks.create import create_task


def test_answers_start_apart() -> None:
    # transformers starts them at zero, and then they stay one answer, given six times.
    torch.manual_seed(0)
    tokens = build().vit.embeddings.detection_tokens[0]
    assert tokens.unique(dim=0).shape[0] == ANSWERS


def test_boxes_are_relative_centres_and_sizes() -> None:
    labels = target([Drawn(2, (16, 0, 48, 64), "red")])
    assert labels["class_labels"].tolist() == [2]
    assert labels["boxes"].tolist() == [[0.5, 0.5, 0.5, 1.0]]


def test_a_picture_without_shapes_has_no_boxes() -> None:
    assert target([])["boxes"].shape == (0, 4)


@pytest.mark.slow
def test_every_phase_runs_and_both_backends_read_the_folder(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own: it is old, and traces shapes
        train(tmp_path, minutes=0.02)
    for backend in ("transformers", "onnxruntime"):
        with create_task(backend, "object-detection", str(tmp_path)) as task:
            assert len(task.backend.run([task.backend.example()])) == 1
