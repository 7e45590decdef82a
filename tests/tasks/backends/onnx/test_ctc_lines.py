"""Lines that CTC graphs read: PP-OCR's as rapidocr reads them, others as their operators say."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task

from . import graphs

rapidocr = pytest.importorskip("rapidocr", reason="in the extra ocr")

PACKAGED = Path(rapidocr.__file__).parent / "models"
REC, DET = (PACKAGED / f"PP-OCRv6_{part}_small.onnx" for part in ("rec", "det"))


def drawn(line: str, size: tuple[int, int] = (240, 60)) -> bytes:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((12, 10), line, fill="black", font=ImageFont.load_default(28))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


LINES = [drawn("Invoice 2026-104"), drawn("Total: 39.50 EUR", (400, 50)), drawn("Hi", (60, 44))]


def read(folder: Path, images: list[bytes], **parameters: Any) -> list[list[tuple[str, float]]]:
    task = create_task(
        "onnxruntime", "optical-character-recognition", str(folder), {"threads": 1, **parameters}
    )
    with task:
        output: Any = task.process(task.task.input.validated({"images": images, "threshold": 0}))
    return [[(line.text, line.score) for line in lines] for lines in output.lines]


def test_a_recogniser_of_pp_ocr_reads_lines_as_rapidocr_does(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").symlink_to(REC)
    own = rapidocr.RapidOCR(params={"Global.log_level": "error", "Global.text_score": 0.0})
    found = read(tmp_path, LINES)
    for image, ((text, score),) in zip(LINES, found, strict=True):
        pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        expected = own(pixels, use_det=False, use_cls=False)
        assert text == expected.txts[0]
        assert score == pytest.approx(expected.scores[0], abs=1e-4)


def test_two_graphs_of_pp_ocr_read_pages(tmp_path: Path) -> None:
    shutil.copy(REC, tmp_path / "my_rec.onnx")
    (tmp_path / "my_det.onnx").symlink_to(DET)
    page = Image.new("RGB", (500, 300), "white")
    for place, line in enumerate(LINES[:2]):
        page.paste(Image.open(io.BytesIO(line)), (20, 40 + 140 * place))
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    texts = [text for text, _ in read(tmp_path, [buffer.getvalue()])[0]]
    assert "".join(texts).replace(" ", "") == "Invoice2026-104Total:39.50EUR"
    with pytest.raises(ModelRefused, match="mean: of no use where pages are read"):
        read(tmp_path, LINES, mean=[0.5, 0.5, 0.5])
    with pytest.raises(ModelRefused, match="characters 'keys.txt': there is no file"):
        read(tmp_path, LINES, characters="keys.txt")
    graphs.constant(tmp_path, {"out": np.zeros((1, 4, 5), np.float32)})
    (tmp_path / "model.onnx").rename(tmp_path / "my_rec.onnx")
    with pytest.raises(ModelRefused, match="does not say which characters .* `characters`, a file"):
        read(tmp_path, LINES)


#: Probabilities of nothing, a and b at five places: a, a, nothing, a, b.
PLACES = np.array(
    [[0.1, 0.8, 0.1], [0.1, 0.7, 0.2], [0.9, 0.1, 0], [0.2, 0.6, 0.2], [0, 0.1, 0.9]], np.float32
)


def line(folder: Path, values: NDArray[Any], **more: Any) -> Path:
    given = {"image": ("input1", (1, 1, 16, "width")), **more}
    return graphs.constant(folder, {"387": values.astype(np.float32)}, **given)


@pytest.mark.parametrize(
    ("values", "parameters", "text"),
    [
        (PLACES[None], {"characters": "ab"}, "aab"),
        (PLACES[:, None], {"characters": ["a", "b"]}, "aab"),  # places, then rows: as ddddocr's
        (np.log(PLACES + 1e-9)[None], {"characters": "ab"}, "aab"),
        (PLACES[None][..., [1, 2, 0]], {"characters": "ab", "blank": "last"}, "aab"),
        (PLACES[None], {"characters": ["", "x", "y"]}, "xxy"),
        (PLACES[None], {"characters": "a"}, "aa "),  # the space is one more, as PP-OCR's
    ],
)
def test_characters_that_follow_themselves_are_one_unless_there_is_none_between(
    tmp_path: Path, values: NDArray[Any], parameters: dict[str, Any], text: str
) -> None:
    folder = line(tmp_path / "line", values)
    found = read(folder, LINES, std=[1.0, 1.0, 1.0], **parameters)
    assert [[line[0] for line in lines] for lines in found] == [[text]] * 3
    assert found[0][0][1] == pytest.approx((0.8 + 0.6 + 0.9) / 3, abs=1e-5)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"std": [1.0] * 3}, "the graph has 3 classes and there are 0 characters: give"),
        ({"std": [1.0] * 3, "characters": "abcd"}, "3 classes and there are 4 characters"),
        ({"std": [1.0] * 3, "characters": "abc"}, "3 classes and there are 3 characters"),
        ({"characters": "ab"}, "nothing tells how the images of the graph are made: give"),
        (
            {"std": [1.0] * 3, "characters": "ab", "blank": "none"},
            "blank 'none': use first or last",
        ),
        ({"std": [1.0] * 3, "input": "image"}, "input 'image': the graph has input1"),
    ],
)
def test_what_nothing_tells_is_asked_for_in_one_line(
    tmp_path: Path, parameters: dict[str, Any], why: str
) -> None:
    folder = line(tmp_path / "line", PLACES[None])
    with pytest.raises(ModelRefused, match=why) as said:
        read(folder, LINES, **parameters)
    assert "\n" not in str(said.value)


def test_a_dictionary_may_lie_in_a_file(tmp_path: Path) -> None:
    folder = line(tmp_path / "line", PLACES[None])
    (folder / "keys.txt").write_text("é\n文\n", encoding="utf-8")
    found = read(folder, LINES[:1], std=[1.0, 1.0, 1.0], characters="keys.txt")
    assert found[0][0][0] == "éé文"
