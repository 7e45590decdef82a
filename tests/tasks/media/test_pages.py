"""Pages and frames against the library that wrote them, and against Pillow's own."""

from __future__ import annotations

import io
import threading
from typing import Any

import numpy as np
import pypdfium2  # type: ignore[import-untyped] # it ships no types
import pytest
from PIL import Image, ImageSequence, PngImagePlugin

from wherry.protocol.errors import RowError
from wherry.tasks.media.decode import decode
from wherry.tasks.media.kinds import is_single, rare_kind
from wherry.tasks.media.pages import open_pages
from wherry.tasks.media.size import displayed_size
from wherry.tasks.media.unread import unread_pages

from ...support import pictures, tiny

RED, BLUE = (254, 0, 0), (0, 0, 254)
SHEETS = [Image.new("RGB", (60, 40), "red"), Image.new("RGB", (40, 60), "blue")]
#: Two pages of 144 x 72 units, their left halves filled.
DRAWN = pictures.written_pdf(["1 0 0 rg 0 0 72 72 re f", "0 0 1 rg 0 0 72 72 re f"])


def close(found: Any, wanted: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.subtract(found, wanted)).max() <= 2)


def test_pages_of_a_pdf_are_drawn_as_they_are_wanted() -> None:
    pages = open_pages(DRAWN, dpi=144)
    assert (pages.count, pages.kind) == (2, "page")
    both = list(pages.images([0, 1, 1]))
    assert [page.size for page in both] == [(288, 144)] * 3
    assert [page.getpixel((9, 9)) for page in both] == [(255, 0, 0), (0, 0, 255), (0, 0, 255)]
    assert both[0].getpixel((280, 9)) == (255, 255, 255), "paper is white"
    assert next(open_pages(DRAWN, dpi=36).images([1])).size == (72, 36)


def test_a_page_is_as_pdfium_draws_it_and_upright() -> None:
    turned = pictures.paged(SHEETS, resolution=72)
    document = pypdfium2.PdfDocument(turned)
    document[0].set_rotation(90)
    file = io.BytesIO()
    document.save(file)
    first, second = open_pages(file.getvalue(), dpi=72).images([0, 1])
    assert (first.size, second.size) == ((40, 60), (40, 60))
    again = pypdfium2.PdfDocument(turned)[1].render(scale=1).to_pil()
    assert np.array_equal(np.asarray(second), np.asarray(again))
    document.close()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_frames_are_as_pillow_has_them(form: str) -> None:
    frames = [tiny.noise(40, 24, seed=n).convert("RGB") for n in range(3)]
    options = {"lossless": True} if form == "WEBP" else {}
    data = pictures.paged(frames, form, **options)
    pages = open_pages(data)
    assert (pages.count, pages.kind) == (3, "page" if form == "TIFF" else "frame")
    own = [f.convert("RGB") for f in ImageSequence.Iterator(Image.open(io.BytesIO(data)))]
    for found, wanted in zip(pages.images([0, 1, 2]), own, strict=True):
        assert np.array_equal(np.asarray(found), np.asarray(wanted))
    assert np.array_equal(np.asarray(next(pages.images([1]))), np.asarray(own[1])), "back again"
    assert not is_single(data)


def test_what_of_a_file_is_no_page_of_its_own_is_passed_over() -> None:
    file = io.BytesIO()
    SHEETS[0].save(file, "TIFF", save_all=True, append_images=[_small(SHEETS[0]), SHEETS[1].copy()])
    pages = open_pages(file.getvalue())
    assert [page.size for page in pages.images(range(pages.count))] == [(60, 40), (40, 60)]
    moving = pictures.paged([SHEETS[0], SHEETS[0], SHEETS[0]], "PNG", default_image=True)
    assert open_pages(moving).count < 3, "the first is for those who show none of the others"
    assert open_pages(tiny.encode(SHEETS[0], "ICO")).count == 1, "one picture in several sizes"


def _small(image: Image.Image) -> Image.Image:
    small = image.resize((6, 4))
    small.encoderinfo = {"tiffinfo": {254: 1}}  # Pillow reads it there
    return small


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"%PDF-1.7 and no more", "the PDF cannot be read"),
        (DRAWN[:300], "the PDF cannot be read"),
        (
            pictures.written_pdf(
                [""],
                trailer=f"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<{'00' * 32}>"
                f"/U<{'00' * 32}>>>",
            ),
            "password",
        ),
        (pictures.written_pdf([]), "the PDF cannot be read"),
    ],
)
def test_documents_that_cannot_be_read_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(RowError, match=why):
        next(open_pages(data).images([0]))


def test_a_page_that_is_too_large_is_refused_before_it_is_drawn() -> None:
    huge = pictures.written_pdf([""], box="0 0 14400 14400")
    with pytest.raises(RowError, match=r"page 1 .* 40000 x 40000 pixels at 200 dpi.*lower `dpi`"):
        next(open_pages(huge).images([0]))
    sheet = pictures.paged([Image.new("RGB", (600, 600))], resolution=600)
    with pytest.raises(RowError, match="holds an image of 600 x 600 pixels; 10000 are allowed"):
        next(open_pages(sheet, dpi=72, max_pixels=10_000).images([0]))


def test_documents_are_drawn_by_several_threads_and_left_halfway() -> None:
    found: list[object] = []

    def draw() -> None:
        for _ in range(5):
            pages = open_pages(DRAWN, dpi=36)
            found.append(next(pages.images([0, 1])).getpixel((9, 9)))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(255, 0, 0)] * 20


def test_a_picture_that_names_pdf_in_a_note_is_none() -> None:
    note = PngImagePlugin.PngInfo()
    note.add_text("about", "%PDF-1.7")
    data = tiny.encode(SHEETS[0], pnginfo=note)
    assert rare_kind(data) is None
    assert is_single(data)
    found = rare_kind(b"\n\n" + DRAWN)
    assert found is not None
    assert found.title == "PDF"
    assert displayed_size(DRAWN) is None, "a page is as large as it is drawn"


@pytest.mark.parametrize("form", ["PDF", "TIFF", "GIF"])
def test_the_first_page_is_read_and_the_others_are_told(form: str) -> None:
    data = pictures.paged([SHEETS[0], SHEETS[0].copy(), SHEETS[1].resize((60, 40))], form)
    assert close(decode(data).getpixel((5, 5)), (255, 0, 0))
    told = unread_pages([data])
    kind = "frames" if form == "GIF" else "pages"
    assert f"{open_pages(data).count} {kind} and only the first was read" in told
    assert not unread_pages([tiny.encode(SHEETS[0], "JPEG"), b"", b"junk"])
