"""Graphs that cut out the foreground."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task

from . import graphs
from .test_yolo import picture

#: The left half is sure to 0.75, the right half to 0.25; as other exporters give it, its logit.
CHANCES = np.full((1, 1, 8, 8), 0.75, dtype=np.float32)
CHANCES[..., 4:] = 0.25
LOGITS = np.log(CHANCES / (1 - CHANCES))
RMBG = {"mean": [0.5, 0.5, 0.5]}


def remover(folder: Path, values: Any) -> Path:
    outputs = {"1959": values.astype(np.float32), "1960": np.zeros((1, 1, 8, 8), np.float32)}
    return graphs.constant(folder, outputs, image=("input.1", (1, 3, 8, 8)))


def segments(folder: Path, given: dict[str, Any] | None = None, **fields: Any) -> Any:
    given = RMBG if given is None else given
    with create_task("onnxruntime", "image-segmentation", str(folder), given) as task:
        images = {"images": [picture(32, 16), picture(64, 64)], **fields}
        output: Any = task.process(task.task.input.validated(images))
    return output.segments


@pytest.mark.parametrize("values", [CHANCES, LOGITS])
def test_the_foreground_is_one_segment_of_the_images_size(tmp_path: Path, values: Any) -> None:
    folder = remover(tmp_path / "remover", values)
    for row, size in zip(segments(folder), [(32, 16), (64, 64)], strict=True):
        (one,) = row
        mask = np.asarray(Image.open(io.BytesIO(one.mask))) > 0
        assert (one.label, one.score, mask.shape) == ("foreground", 1.0, size[::-1])
        assert mask[:, : size[0] // 2].all()
        assert not mask[:, size[0] // 2 :].any()
    assert segments(folder, mask_threshold=0.9) == [[], []]
    assert segments(folder, {**RMBG, "labels": ["person"]})[0][0].label == "person"
    with pytest.raises(RowError, match="no instance segmentation; it has semantic"):
        segments(folder, subtask="instance")


def test_what_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    folder = remover(tmp_path / "remover", CHANCES)
    with pytest.raises(ModelRefused, match="preprocessor_config.json is missing.* mean, std"):
        segments(folder, {})
    with pytest.raises(ModelRefused, match="function_to_apply 'softmax': use sigmoid or none"):
        segments(folder, {**RMBG, "function_to_apply": "softmax"})
    folder = remover(tmp_path / "logits", LOGITS)
    with pytest.raises(ModelRefused, match="they are no probabilities"):
        segments(folder, {**RMBG, "function_to_apply": "none"})
