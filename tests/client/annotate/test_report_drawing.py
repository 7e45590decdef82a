"""What was found is drawn where it is, in colours that can be told apart."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from wherry.client.annotate.report import SAMPLED
from wherry.client.annotate.report.colours import PALETTE, Colours
from wherry.client.annotate.report.page import page
from wherry.client.annotate.report.thumbnails import SIDE
from wherry.tasks.values.masks import write_mask

from .reported import answer, box, noise, opened, png, read, sample, summary


def test_boxes_are_drawn_where_they_are() -> None:
    found = [box("cat", 10.5, 20, 110.25, 180), box("dog", 300, 5, 399, 50)]
    output = answer("object-detection", "detections", found)
    reader = read(page(summary(), [sample(output, png())]))
    assert reader.all("svg", "picture")[0]["viewbox"] == "0 0 400 200"
    drawn = [
        tuple(float(a[name] or "nan") for name in ("x", "y", "width", "height"))
        for a in reader.all("rect", "box")
    ]
    assert drawn == [(10.5, 20, 99.75, 160), (300, 5, 99, 45)]
    colours = Colours.of(summary()["labels"])
    assert [a["stroke"] for a in reader.all("rect", "box")] == [
        colours["cat"].css,
        colours["dog"].css,
    ]
    for chip in reader.all("rect", "chip"):
        left, top = float(chip["x"] or "nan"), float(chip["y"] or "nan")
        assert left >= 0
        assert left + float(chip["width"] or "nan") <= 400
        assert top >= 0
        assert top + float(chip["height"] or "nan") <= 200


def test_a_picture_says_in_words_what_it_shows() -> None:
    output = answer("object-detection", "detections", [box("cat", 1, 2, 3, 4)])
    reader = read(page(summary(), [sample(output, png())]))
    picture = reader.all("svg", "picture")[0]
    assert (picture["role"], picture["aria-label"]) == ("img", "a.png: cat 0.50")
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in reader.all("svg"))
    assert all(a.get("alt") for a in reader.all("img"))


def test_chips_lie_on_no_other() -> None:
    rng = random.Random(5)
    found = []
    for _ in range(40):
        left, top = rng.uniform(0, 300), rng.uniform(0, 150)
        found.append(box("traffic light", left, top, left + 90, top + 45))
    output = answer("object-detection", "detections", found)
    reader = read(page(summary(), [sample(output, png())]))
    chips = [
        [float(a[name] or "nan") for name in ("x", "y", "width", "height")]
        for a in reader.all("rect", "chip")
    ]
    assert 3 < len(chips) <= 12
    for place, (x, y, w, h) in enumerate(chips):
        for left, top, width, height in chips[:place]:
            apart = x >= left + width or left >= x + w or y >= top + height or top >= y + h
            assert apart, "a label hides another"


def test_masks_are_laid_over_their_pixels() -> None:
    mask = np.zeros((200, 400), bool)
    mask[50:150, 100:300] = True
    segment = {"label": "cat", "score": 1.0, "mask": write_mask(mask)}
    output = answer("image-segmentation", "segments", [segment])
    reader = read(page(summary(), [sample(output, png())]))
    image = reader.all("image", "mask")[0]
    assert (image["width"], image["height"]) == ("400", "200")
    overlay = np.asarray(opened(image["href"]).convert("RGBA"))
    scale = overlay.shape[1] / 400
    assert overlay.shape[1] <= SIDE
    alpha = overlay[..., 3]
    assert alpha[0, 0] == 0
    inside = overlay[int(100 * scale), int(200 * scale)]
    assert tuple(inside[:3]) == Colours.of(summary()["labels"])["cat"].rgb
    assert 0 < inside[3] < 255, "the image shows through"
    assert (alpha > 0).mean() == pytest.approx(mask.mean(), abs=0.02)


def test_keypoints_are_drawn_with_limbs_between_those_of_one_object() -> None:
    points = [
        {"label": "L_Shoulder", "score": 0.9, "x": 50.0, "y": 60.0, "object": 0},
        {"label": "L_Elbow", "score": 0.9, "x": 70.0, "y": 90.0, "object": 0},
        {"label": "left_wrist", "score": 0.9, "x": 300.0, "y": 20.0, "object": 1},
    ]
    output = answer("keypoint-detection", "keypoints", points)
    reader = read(page(summary(), [sample(output, png())]))
    circles = [(a["cx"], a["cy"], a["fill"]) for a in reader.all("circle")]
    first, second = PALETTE[0].css, PALETTE[1].css
    assert circles == [("50", "60", first), ("70", "90", first), ("300", "20", second)]
    assert [(a["x1"], a["y1"], a["x2"], a["y2"]) for a in reader.all("line")] == [
        ("50", "60", "70", "90")
    ]


@pytest.mark.parametrize("colour", PALETTE)
def test_colours_are_legible_on_both_pages(colour: tuple[int, int, int]) -> None:
    assert contrast(colour, (255, 255, 255)) >= 3
    assert contrast(colour, (0x14, 0x17, 0x1C)) >= 3
    assert contrast(colour, (0, 0, 0)) >= 4.5


def contrast(one: Sequence[int], other: Sequence[int]) -> float:
    """WCAG 2.2, contrast ratio."""

    def luminance(colour: Sequence[int]) -> float:
        parts = [v / 255 for v in colour]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_page_is_small_whatever_the_pictures() -> None:
    rng = np.random.default_rng(1)
    parts = [rng.random((640, 640)) < 0.5 for _ in range(5)]
    found = [
        {"label": f"{n}", "score": 0.1 * n, "mask": write_mask(m)} for n, m in enumerate(parts)
    ]
    output = answer("image-segmentation", "segments", found)
    html = page(summary(), [sample(output, noise(n)) for n in range(SAMPLED)])
    assert len(read(html).all("image")) == 2 * SAMPLED
    assert len(html) < 2_000_000
