"""Rows of a batch on several threads: what comes back is as if they had gone one by one."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence

import pytest
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.backends.decoding import decode_each
from wherry.tasks.backends.decoding_pool import DecodingPool
from wherry.tasks.backends.image.picture import picture
from wherry.tasks.backends.rows import Decoded
from wherry.tasks.base import TaskInput
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.vision.image_classification import ImageClassificationInput
from wherry.tasks.vision.optical_character_recognition import OpticalCharacterRecognitionInput

from ...support.pictures import paged

_MAIN = threading.main_thread()


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodingPool]:
    pool = DecodingPool(2, max_bytes=1 << 20)
    yield pool
    pool.close()


def files(*rows: int) -> list[ImageClassificationInput]:
    """Rows whose files have so many bytes, which say where they are."""
    return [
        ImageClassificationInput(images=[bytes([place]) * size]) for place, size in enumerate(rows)
    ]


def place(row: TaskInput) -> int:
    assert isinstance(row, ImageClassificationInput)
    return row.images[0][0]


class Meeting:
    """Decodes a row only while another thread decodes another: more than one are at work."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2)

    def __call__(self, row: TaskInput) -> int:
        self._barrier.wait(60)
        return place(row)


def test_rows_are_decoded_side_by_side_and_come_back_in_order(pool: DecodingPool) -> None:
    with pool.ranked(0):
        assert decode_each(files(*[5000] * 20), Meeting()) == list(range(20))


@pytest.mark.parametrize(
    "rows",
    [files(*[100] * 20), files(5000), files(5000, 10, 10), EmbeddingInput(texts=["a" * 9000] * 9)],
    ids=["small", "one", "one beside small ones", "texts"],
)
def test_what_is_not_worth_a_thread_has_none(
    pool: DecodingPool, rows: Sequence[TaskInput] | EmbeddingInput
) -> None:
    each = rows.rows() if isinstance(rows, EmbeddingInput) else rows
    with pool.ranked(0):
        seen = decode_each(each, lambda _: threading.current_thread())
    assert set(seen) == {_MAIN}


def test_one_core_and_no_pool_are_no_threads() -> None:
    rows = files(*[5000] * 3)
    with DecodingPool(1, max_bytes=1).ranked(0):
        assert decode_each(rows, lambda _: threading.current_thread()) == [_MAIN] * 3
    assert decode_each(rows, lambda _: threading.current_thread()) == [_MAIN] * 3


def test_a_row_that_cannot_be_read_has_its_own_error_in_its_place(pool: DecodingPool) -> None:
    def odd(row: TaskInput) -> int:
        if place(row) % 2:
            raise RowError(f"row {place(row)} is odd")
        return place(row)

    with pool.ranked(0):
        decoded = Decoded(files(*[5000] * 5), odd)
    assert (decoded.rows, decoded.places) == ([0, 2, 4], [0, 2, 4])
    answers = decoded.answers([RowError("read")] * 3)
    told = [answer.message for answer in answers if isinstance(answer, RowError)]
    assert told == ["read", "row 1 is odd", "read", "row 3 is odd", "read"]


def test_another_fault_is_the_first_rows_that_has_one_and_ends_the_batch(
    pool: DecodingPool,
) -> None:
    begun = set[int]()
    late = threading.Event()

    def broken(row: TaskInput) -> int:
        begun.add(place(row))
        if place(row) == 0:
            assert late.wait(60)
            raise ZeroDivisionError("row 0")
        late.set()  # row 1 fails first
        raise KeyError("row 1")

    with pool.ranked(0), pytest.raises(ZeroDivisionError, match="row 0"):
        decode_each(files(*[5000] * 50), broken)
    assert begun == {0, 1}


def test_what_a_row_decodes_within_it_waits_for_no_thread(pool: DecodingPool) -> None:
    within = files(*[5000] * 3)

    def nested(row: TaskInput) -> list[object]:
        return [place(row), *decode_each(within, place)]

    with pool.ranked(0):
        assert decode_each(files(*[5000] * 6), nested) == [[n, 0, 1, 2] for n in range(6)]


def test_pages_of_a_document_are_read_by_one_thread_after_each_other(pool: DecodingPool) -> None:
    shades = range(0, 240, 20)
    pages = [Image.effect_noise((80, 60), 9).point(lambda v, s=s: s) for s in shades]
    noise = io.BytesIO()
    Image.effect_noise((80, 90), 50).save(noise, "PNG")
    inputs = OpticalCharacterRecognitionInput(images=[paged(pages, "TIFF"), noise.getvalue()] * 2)
    rows = [part for row in inputs.rows() for part in row.parts()]
    threads: dict[int, set[str]] = {}

    def shade(row: TaskInput) -> object:
        assert isinstance(row, OpticalCharacterRecognitionInput)
        of = threads.setdefault(id(row.page and row.page.pages), set())
        of.add(threading.current_thread().name)
        return picture(row, 10_000).getpixel((0, 0)) if row.page else "noise"

    with pool.ranked(0):
        seen = decode_each(rows, shade)
    assert seen == [*((s, s, s) for s in shades), "noise"] * 2
    assert [len(names) for key, names in threads.items() if key != id(None)] == [1, 1]
