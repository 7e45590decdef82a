"""Segments against the pipeline, row by row: universal models and semantic ones."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from transformers import pipeline

from wherry.protocol import codec
from wherry.protocol.errors import RowError
from wherry.tasks.backends.transformers.vision import image_segmentation
from wherry.tasks.create import create_task
from wherry.tasks.vision.image_segmentation import (
    ImageSegmentationInput,
    ImageSegmentationOutput,
    Segment,
)

from ....support import tiny

TOLERANCE = 1e-3
#: Random weights are sure of nothing.
ANY: dict[str, Any] = {
    "threshold": 0.0,
    "mask_threshold": 0.0,
    "overlap_mask_area_threshold": 0.0,
}


def pixels(file: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(file)))


def segment(folder: Path, images: list[bytes], **parameters: Any) -> list[list[Segment]]:
    task = create_task("transformers", "image-segmentation", str(folder))
    output = task.process(ImageSegmentationInput(images=images, **parameters))
    assert isinstance(output, ImageSegmentationOutput)
    return output.segments


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("image-segmentation", {"subtask": "panoptic", **ANY}),
        ("image-segmentation", {"subtask": "instance", **ANY}),
        ("image-segmentation", {"subtask": "semantic"}),
        ("image-segmentation", {**ANY, "threshold": 0.4}),
        ("image-segmentation-semantic", {}),
    ],
)
def test_batch_equals_the_pipelines_single_answers(
    model: str, parameters: dict[str, Any], tiny_model: Callable[[str], Path]
) -> None:
    folder = tiny_model(model)
    own = pipeline("image-segmentation", str(folder))
    together = segment(folder, tiny.images(), **parameters)
    seen = set()
    for segments, data in zip(together, tiny.images(), strict=True):
        theirs = own(Image.open(io.BytesIO(data)).convert("RGB"), **parameters)
        assert len(segments) == len(theirs) > 0
        for ours, other in zip(segments, theirs, strict=True):
            assert ours.label == other["label"]
            assert ours.score == pytest.approx(other["score"] or 1.0, abs=TOLERANCE)
            mask = pixels(ours.mask)
            assert set(np.unique(mask)) <= {0, 255}
            assert mask.shape == (other["mask"].height, other["mask"].width)
            assert (mask != np.asarray(other["mask"])).mean() <= TOLERANCE
            seen.add((ours.label, round(ours.score, 3), round(float(mask.mean()))))
    assert len(seen) > 4  # the rows differ, so their order counts


def test_a_kind_of_segments_that_the_model_lacks(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("image-segmentation-semantic")
    task = create_task("transformers", "image-segmentation", str(folder))
    (data,) = tiny.images()[:1]
    rows = [ImageSegmentationInput(images=[data], subtask=s) for s in ("panoptic", "semantic")]
    bad, good = task.backend.run(rows)
    assert isinstance(bad, RowError)
    assert bad.message == "the model has no panoptic segmentation; it has semantic"
    assert isinstance(good, ImageSegmentationOutput)


def test_masks_of_large_images_are_enlarged(
    tiny_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (data,) = tiny_model("image-segmentation-semantic"), tiny.images()[3:]
    ((*exact,),) = segment(folder, [data])
    monkeypatch.setattr(image_segmentation, "_MAX_MAP_PIXELS", 10_000)
    ((*enlarged,),) = segment(folder, [data])
    assert [part.label for part in enlarged] == [part.label for part in exact]
    for one, other in zip(exact, enlarged, strict=True):
        assert pixels(other.mask).shape == pixels(one.mask).shape
        assert 0 < (pixels(other.mask) != pixels(one.mask)).mean() < 0.05


def test_rows_of_many_and_of_no_segments_survive_the_wire() -> None:
    part = Segment(label="a", score=0.5, mask=tiny.encode(Image.new("L", (3, 2), 255)))
    output = ImageSegmentationOutput(segments=[[], [part, part], [part]])
    for binary in (False, True):
        body, length = codec.encode_response(output.to_inference_response("m"), binary=binary)
        read = codec.decode_response(body, length)
        assert ImageSegmentationOutput.from_inference_response(read) == output


def test_a_model_that_segments_nothing_is_refused(tiny_model: Callable[[str], Path]) -> None:
    with pytest.raises(ValueError, match="no segmentation model, but vit"):
        segment(tiny_model("image-classification"), tiny.images()[:1])
