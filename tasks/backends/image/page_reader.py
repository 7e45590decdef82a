"""Reading a page with PP-OCR, whose models come inside the package rapidocr."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from rapidocr import RapidOCR

from ...boxes import BoundingBox
from ...vision.optical_character_recognition import TextLine
from ..cores import usable_cores

Edges = tuple[float, float, float, float]

#: Words of a page and their boxes: xmin, ymin, xmax, ymax in thousandths of the page.
WordBoxes = list[tuple[str, Edges]]


class Graphs(NamedTuple):
    """Graphs in the place of the package's: one finds lines, one reads them.

    `characters` is a file of what that reads, one a line; None where the graph says so itself.
    """

    det: Path
    rec: Path
    height: int
    characters: Path | None = None


class PageReader:
    """Finds the lines of a page, turns those that stand on their head, and reads them.

    `threads` bounds the threads of its graphs; 0 takes every core that the process
    may use. `cuda` is a device's
    number, None for the CPU. `graphs` are others than the package's.
    """

    def __init__(
        self, *, threads: int = 0, cuda: int | None = None, graphs: Graphs | None = None
    ) -> None:
        engine = "EngineConfig.onnxruntime"
        self._reader: Any = RapidOCR(  # its three steps answer with unions of outputs
            params={
                "Global.log_level": "error",
                "Global.text_score": 0.0,  # rows have their own thresholds
                f"{engine}.intra_op_num_threads": threads or usable_cores(),
                f"{engine}.use_cuda": cuda is not None,
                f"{engine}.cuda_ep_cfg.device_id": cuda or 0,
                **(_own(graphs) if graphs else {}),
            }
        )
        # Its graphs load when first used: one pass loads those that read, one that which finds.
        blank = np.full((48, 48, 3), 255, dtype=np.uint8)
        for find in (False, True):
            self._reader(blank, use_det=find)

    def sessions(self) -> list[Any]:
        """The sessions of its graphs, which tell what they compute on."""
        parts = (self._reader.text_det, self._reader.text_cls, self._reader.text_rec)
        return [part.session.session for part in parts]

    def read(self, image: Image.Image) -> list[TextLine]:
        """The lines of an RGB image from top to bottom, boxes in its pixels."""
        pixels = np.asarray(_broad(image))[:, :, ::-1]  # OpenCV's order: BGR
        found = self._reader(pixels)
        if not getattr(found, "txts", None) or getattr(found, "boxes", None) is None:
            return []
        return [
            TextLine(text=text, score=float(score), box=_upright(corners, image))
            for text, score, corners in zip(found.txts, found.scores, found.boxes, strict=True)
        ]


def _own(graphs: Graphs) -> dict[str, Any]:
    width = int(320 / 48 * graphs.height)
    own: dict[str, Any] = {
        "Det.model_path": str(graphs.det),
        "Rec.model_path": str(graphs.rec),
        "Rec.rec_img_shape": [3, graphs.height, width],
    }
    if graphs.characters:
        own["Rec.rec_keys_path"] = str(graphs.characters)
    return own


def words_of(lines: list[TextLine], size: tuple[int, int]) -> WordBoxes:
    """The words of lines, each in its share of the line's width."""
    found: WordBoxes = []
    for line in lines:
        box, start = line.box, 0
        step = (box.xmax - box.xmin) / max(1, len(line.text))
        for word in line.text.split():
            start = line.text.index(word, start)
            left, right = box.xmin + start * step, box.xmin + (start + len(word)) * step
            start += len(word)
            found.append((word, _thousandths((left, box.ymin, right, box.ymax), size)))
    return found


def _thousandths(box: Edges, size: tuple[int, int]) -> Edges:
    left, top, right, bottom = (
        min(1000.0, max(0.0, 1000 * edge / length))
        for edge, length in zip(box, size * 2, strict=True)
    )
    return left, top, right, bottom


def _broad(image: Image.Image) -> Image.Image:
    """The image with black to its right or below where it is narrower than 1 to 4: the short side
    is enlarged to hundreds of pixels, and the long one with it.
    """
    least = -(-max(image.size) // 4)
    return image.crop((0, 0, max(image.width, least), max(image.height, least)))


def _upright(corners: Any, image: Image.Image) -> BoundingBox:
    """The upright box around four corners, (4, 2), held within the image."""
    xmin, ymin = np.maximum(np.min(corners, axis=0), 0).tolist()
    xmax, ymax = np.minimum(np.max(corners, axis=0), image.size).tolist()
    return BoundingBox(xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)
