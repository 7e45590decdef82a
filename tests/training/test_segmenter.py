from __future__ import annotations

from pathlib import Path

import numpy as np
from training.segmenter import LABELS, train

from wherry.tasks.create import create_task
from wherry.tasks.vision.image_segmentation import ImageSegmentationInput, ImageSegmentationOutput

from ..support import tiny


def test_it_trains_and_both_backends_read_the_folder(tmp_path: Path) -> None:
    overlaps = train(tmp_path, steps=2)
    assert len(overlaps) == len(LABELS)
    assert np.mean(overlaps[1:]) < 0.5  # nothing is learnt by then
    rows = ImageSegmentationInput(images=tiny.images()).rows()
    for backend in ("transformers", "onnxruntime"):
        with create_task(backend, "image-segmentation", str(tmp_path)) as task:
            answers = task.backend.run(rows)
        assert all(isinstance(answer, ImageSegmentationOutput) for answer in answers)
