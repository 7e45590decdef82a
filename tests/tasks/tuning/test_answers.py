from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from wherry.protocol.errors import RowError
from wherry.tasks.boxes import BoundingBox, DetectedObject
from wherry.tasks.labels import ClassificationResult
from wherry.tasks.registry import get_task
from wherry.tasks.text.embedding import EmbeddingOutput
from wherry.tasks.text.sentence_similarity import SentenceSimilarityOutput
from wherry.tasks.tuning.answers import Apart, UnlikeError
from wherry.tasks.tuning.rows import compared, picture
from wherry.tasks.vision.depth_estimation import DepthEstimationOutput, DepthMap
from wherry.tasks.vision.image_classification import ImageClassificationOutput
from wherry.tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput

ROW = get_task("image-classification").example.input


def classes(*scored: tuple[str, float]) -> ImageClassificationOutput:
    found = [ClassificationResult(label=label, score=score) for label, score in scored]
    return ImageClassificationOutput(results=[found])


def boxes(*scores: float) -> ObjectDetectionOutput:
    box = BoundingBox(xmin=10, ymin=20, xmax=300.5, ymax=400)
    found = [DetectedObject(label="cat", score=score, box=box) for score in scores]
    return ObjectDetectionOutput(detections=[found])


def vector(*numbers: float) -> EmbeddingOutput:
    return EmbeddingOutput(embeddings=[list(numbers)])


def similar(*scores: float) -> SentenceSimilarityOutput:
    return SentenceSimilarityOutput(scores=[list(scores)])


AB = classes(("a", 0.6), ("b", 0.4))


@pytest.mark.parametrize(
    ("found", "wanted", "most", "changed"),
    [
        (AB, AB, 0.0, 0),
        (classes(("a", 0.6004), ("b", 0.3996)), AB, 0.0004, 0),
        # What scores alike may change places, and is counted.
        (classes(("b", 0.5), ("a", 0.5)), classes(("a", 0.5002), ("b", 0.4998)), 0.0002, 1),
        # And another may stand in the last place, if it scores as the one that it took it from.
        (classes(("a", 0.6), ("c", 0.2)), classes(("a", 0.6), ("b", 0.2003)), 0.0, 0),
        # Of vectors it is the part of the greatest that counts, small or large.
        (vector(0.01, 0.020008), vector(0.01, 0.02), 0.0004, 0),
        (vector(100.05, 1), vector(100, 1), 0.0005, 0),
        # But none under the noise of float32.
        (vector(0.0, 5e-8), vector(0.0, 0.0), 0.0005, 0),
        # Scores stand for themselves, in a list too.
        (similar(0.01, 0.0105), similar(0.01, 0.01), 0.0005, 0),
        (RowError("other words"), RowError("words"), 0.0, 0),
    ],
)
def test_answers_that_rounding_moves_are_alike(
    found: Any, wanted: Any, most: float, changed: int
) -> None:
    apart = Apart(1e-3)
    apart.add(ROW, wanted, found)
    assert apart.most == pytest.approx(most, abs=1e-5)
    assert (apart.rows, apart.first_changed) == (1, changed)


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        (classes(("a", 0.602), ("b", 0.4)), AB, "0.602"),
        (classes(("b", 0.6), ("a", 0.4)), AB, "results"),
        (classes(("a", 0.6)), AB, "'b'"),
        (classes(("a", 0.6), ("c", 0.4)), classes(("a", 0.6), ("b", 0.4), ("c", 0.3)), "results"),
        (vector(0.1, 0.2, 0.3), vector(0.1, 0.2), "embeddings"),
        (vector(0.05, 0.0204), vector(0.05, 0.02), "0.0204"),
        (similar(0.012), similar(0.01), "0.012"),
        (vector(0.1, float("nan")), vector(0.1, 0.2), "NaN"),
        (RowError("no"), AB, "'no'"),
        (AB, RowError("no"), "it says"),
    ],
)
def test_others_are_not_and_it_is_said_where(found: Any, wanted: Any, said: str) -> None:
    with pytest.raises(UnlikeError, match=said):
        Apart(1e-3).add(ROW, wanted, found)


@pytest.mark.parametrize(
    ("found", "wanted", "alike"),
    [
        ((0.9,), (0.9, 0.5003), True),  # at the threshold: either side is right
        ((0.9, 0.5003), (0.9,), True),
        ((0.9,), (0.9, 0.6), False),
        ((0.9, 0.6), (0.9,), False),
    ],
)
def test_what_is_at_the_threshold_may_be_missing(
    found: Sequence[float], wanted: Sequence[float], alike: bool
) -> None:
    row = ObjectDetectionInput(images=[b""], threshold=0.5)
    apart = Apart(1e-3)
    if alike:
        apart.add(row, boxes(*wanted), boxes(*found))
    else:
        with pytest.raises(UnlikeError):
            apart.add(row, boxes(*wanted), boxes(*found))


def test_pictures_and_maps_of_numbers_are_looked_at() -> None:
    import io

    import numpy as np
    from PIL import Image

    def depth(values: list[float], level: int) -> DepthEstimationOutput:
        buffer = io.BytesIO()
        Image.new("L", (2, 1), level).save(buffer, "PNG")
        raw = np.asarray(values, "<f4").tobytes()
        shown = DepthMap(height=1, width=2, values=raw)
        return DepthEstimationOutput(predicted_depth=[shown], depth=[buffer.getvalue()])

    apart = Apart(1e-3)
    apart.add(ROW, depth([1.0, 5.0], 100), depth([1.001, 5.0], 101))
    assert 0 < apart.most < 1e-3
    with pytest.raises(UnlikeError, match="values"):
        apart.add(ROW, depth([1.0, 5.0], 100), depth([1.0, 5.1], 100))
    with pytest.raises(UnlikeError, match="pixels"):
        apart.add(ROW, depth([1.0, 5.0], 100), depth([1.0, 5.0], 140))


def test_rows_to_try_with_are_of_several_sizes() -> None:
    assert picture(640, 480, seed=0) != picture(640, 480, seed=1)
    texts = compared(get_task("fill-mask"))
    words = [len(row.model_dump()["texts"][0].split()) for row in texts]
    assert max(words) > 512  # which is what many models read at most
