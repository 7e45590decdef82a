from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from PIL import Image
from rich.console import Console

from wherry.ops.demo.inputs import PARAPHRASES, Picture, digits, drawn, photographs
from wherry.ops.demo.run import run
from wherry.samples.digits_data import load, split


@pytest.mark.parametrize("make", [lambda: digits(10), lambda: drawn(6), photographs])
def test_pictures_are_files(make: Callable[[], list[Picture]]) -> None:
    for picture in make():
        with Image.open(io.BytesIO(picture.data)) as image:
            image.verify()


def test_digits_were_held_out_in_training() -> None:
    _, labels = load()
    trained, _, held_out = split(labels)
    shown = {int(picture.name.removeprefix("digit-").removesuffix(".png")) for picture in digits(9)}
    assert shown <= {int(index) for index in held_out}
    assert not shown & {int(index) for index in trained}


def test_the_truth_is_known_for_digits_and_shapes() -> None:
    assert all(picture.truth in set("0123456789") for picture in digits(10))
    assert {picture.truth for picture in drawn(20)} == {"circle", "square", "triangle"}


def test_photographs_come_with_the_package() -> None:
    assert len(photographs()) >= 3


def test_every_sentence_is_another() -> None:
    sentences = [sentence for triple in PARAPHRASES for sentence in triple]
    assert len(set(sentences)) == len(sentences)


@pytest.mark.slow
def test_the_demo_finds_its_own_answers_right() -> None:
    output = io.StringIO()
    assert run(Console(file=output, width=160)) == 0, output.getvalue()
    last = output.getvalue().strip().splitlines()[-1]
    assert re.search(r"http://127\.0\.0\.1:\d+/console/#/jobs/[\w-]+$", last)
