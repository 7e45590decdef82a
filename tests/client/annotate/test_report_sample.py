"""The rows that a report shows, and their small pictures."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wherry.client.annotate.ledger import Ledger
from wherry.client.annotate.packing import Packer
from wherry.client.annotate.report import SAMPLED, Sample, Sampler, samples
from wherry.client.annotate.report.thumbnails import thumbnail
from wherry.client.annotate.rows import Origin, SourceRow
from wherry.client.annotate.stored_answers import pack_answers
from wherry.tasks.registry import get_task

from .reported import answer, png


def sampled(
    path: Path, rows: Sequence[SourceRow], task: str = "image-classification"
) -> list[Sample]:
    origin = Origin(get_task(task), "m", "1", {}, "photos")
    packer = Packer(origin)
    output = answer(task, "results", [{"label": "cat", "score": 0.5}])
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        sampler = Sampler(ledger, origin.task)
        for position, row in enumerate(rows):
            key = packer.key(row.values)
            ledger.place(position, row.id, "", key, None)
            ledger.keep(pack_answers(origin.task, output.response("m"), 1), [key])
            sampler.offer(position, row, key)
        return samples(ledger, origin.task)


def test_the_sample_is_the_same_in_any_order(tmp_path: Path) -> None:
    rows = [SourceRow(f"{n}.png", {"images": png(20, 10) + b"%d" % n}) for n in range(300)]
    first = sampled(tmp_path / "a", rows)
    random.Random(3).shuffle(rows)
    second = sampled(tmp_path / "b", rows)
    copies = [SourceRow(f"copy of {row.id}", row.values) for row in rows]
    again = sampled(tmp_path / "a", rows + copies)  # the first run's ledger has all answers
    assert len(first) == SAMPLED
    assert {s.id for s in first} == {s.id for s in second} == {s.id for s in again}
    assert all(s.picture and s.size == (20, 10) and s.output for s in [*first, *again])
    assert sum(int(s.id[:-4]) >= 150 for s in first) in range(5, 20), "drawn from all rows"


def test_texts_are_kept_shortened(tmp_path: Path) -> None:
    rows = [SourceRow(str(n), {"texts": f"{n} " + "x" * 100_000}) for n in range(3)]
    kept = sampled(tmp_path / "a", rows, "text-classification")
    assert [s.id for s in kept] == ["0", "1", "2"]
    assert all(s.texts["texts"].startswith(f"{s.id} x") for s in kept)
    assert all(len(s.texts["texts"]) == 2001 for s in kept)


@pytest.mark.parametrize("image", [b"", b"no image", png()[:60], b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_a_broken_image_has_no_picture(image: bytes) -> None:
    assert thumbnail(image) is None


def test_a_picture_is_upright_as_coordinates_are() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    Image.new("RGB", (1600, 800)).save(buffer, "JPEG", exif=exif)
    small = thumbnail(buffer.getvalue())
    assert small is not None
    assert small.size == (800, 1600)
    kept = Image.open(io.BytesIO(small.file))
    assert kept.size == (160, 320)
    assert kept.format == "JPEG", "a PNG of a photograph takes ten times as long to write"


def test_a_picture_of_sixteen_bits_is_not_white() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), 30_000, np.uint16)).save(buffer, "PNG")
    small = thumbnail(buffer.getvalue())
    assert small is not None
    assert Image.open(io.BytesIO(small.file)).convert("L").getpixel((0, 0)) == 117
