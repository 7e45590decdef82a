"""Models that match pictures against transformers' own processors, pair by pair."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image

from wherry.protocol.errors import InvalidRequest
from wherry.tasks.create import create_task
from wherry.tasks.vision.keypoint_matching import KeypointMatchingInput, KeypointMatchingOutput

from ....support import tiny
from ....support.matching import match_by_hand

Models = Callable[[str], Path]

NAME = "keypoint-matching"

#: Of four sizes, none of which is the model's; the last two are all of one colour.
FILES = (*tiny.images(), tiny.encode(Image.new("RGB", (50, 40), "navy")))
PAIRS = [[FILES[a], FILES[b]] for a, b in ((0, 1), (2, 3), (4, 0), (4, 4))]


class Documented:
    """What the models' pages do, but for the order."""

    def __init__(self, folder: Path) -> None:
        self.processor: Any = hf.AutoImageProcessor.from_pretrained(folder)
        self.model: Any = hf.AutoModelForKeypointMatching.from_pretrained(folder).eval()
        if self.model.config.model_type == "efficientloftr":
            match_by_hand(self.model)

    def __call__(self, pair: list[bytes], threshold: float) -> list[list[float]]:
        images = [Image.open(io.BytesIO(file)).convert("RGB") for file in pair]
        sizes = [[(image.height, image.width) for image in images]]
        with torch.inference_mode():
            out = self.model(**self.processor(images, return_tensors="pt"))
        (found,) = self.processor.post_process_keypoint_matching(out, sizes, threshold=threshold)
        places = zip(found["keypoints0"].tolist(), found["keypoints1"].tolist(), strict=True)
        scores = found["matching_scores"].tolist()
        return [[*a, *b, score] for (a, b), score in zip(places, scores, strict=True)]


def matched(answer: object) -> list[list[float]]:
    assert isinstance(answer, KeypointMatchingOutput), answer
    return [[m.x0, m.y0, m.x1, m.y1, m.score] for m in answer.matches[0]]


@pytest.mark.parametrize("name", [NAME, f"{NAME}-efficientloftr", f"{NAME}-lightglue"])
def test_pairs_of_a_batch_are_matched_as_each_is_alone(name: str, tiny_model: Models) -> None:
    task = create_task("transformers", NAME, str(tiny_model(name)))
    documented = Documented(tiny_model(name))
    scores = sorted(match[4] for match in documented(PAIRS[0], 0.0))
    asked = [(pair, 0.0) for pair in PAIRS] + [(PAIRS[0], scores[len(scores) // 2])]
    answers = task.backend.run(
        [KeypointMatchingInput(pairs=[pair], threshold=least) for pair, least in asked]
    )
    for answer, (pair, least) in zip(answers, asked, strict=True):
        found, expected = matched(answer), documented(pair, least)
        surest_first = sorted((match[4] for match in expected), reverse=True)
        assert [match[4] for match in found] == pytest.approx(surest_first, rel=1e-3)
        assert sorted(match[:4] for match in found) == sorted(match[:4] for match in expected)
    assert len(matched(answers[-1])) < len(scores)


def test_an_efficient_loftr_knows_places_that_have_moved(tiny_model: Models) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    moved = np.roll(pixels, (16, 24), axis=(0, 1))  # by whole places of 8 x 8 pixels
    files = [tiny.encode(Image.fromarray(image)) for image in (pixels, moved)]
    task = create_task("transformers", NAME, str(tiny_model(f"{NAME}-efficientloftr")))
    (answer,) = task.backend.run([KeypointMatchingInput(pairs=[files])])
    found = [((x1 - x0) % 64, (y1 - y0) % 64) for x0, y0, x1, y1, _ in matched(answer)]
    assert len(found) > 10
    assert found.count((24, 16)) > len(found) / 2


def test_a_row_is_two_images() -> None:
    for files in ([FILES[0]], list(FILES[:3])):
        with pytest.raises(InvalidRequest, match="pairs"):
            KeypointMatchingInput.validated({"pairs": [files]})
