"""Images resized as OpenCV itself resizes them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from wherry.tasks.backends.image.opencv import resized


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((640, 427), (128, 85)),
        ((77, 100), (98, 128)),
        ((128, 90), (64, 45)),  # half: the mean of four
        ((21, 33), (77, 50)),
        ((5, 3), (38, 64)),
        ((3, 1000), (2, 640)),
        ((1, 1), (64, 64)),
        ((64, 64), (64, 64)),
    ],
)
def test_each_pixel_is_opencvs(before: tuple[int, int], after: tuple[int, int]) -> None:
    shape = (before[1], before[0], 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = np.asarray(resized(Image.fromarray(pixels), after))
    expected = cv2.resize(pixels, after, interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(found, expected)
