"""Pages to test: rows to show, and what a page holds, read back."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from typing import Any

import numpy as np
from PIL import Image

from wherry.client.annotate.report import Sample
from wherry.client.annotate.report.thumbnails import thumbnail
from wherry.tasks.base import TaskOutput
from wherry.tasks.registry import get_task

HOSTILE = "\"><script>alert(1)</script>&amp;'\u202e\x00\udcff"


class Reader(HTMLParser):
    """Every element with its attributes, and all text that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [a for t, a in self.elements if t == tag and kind in (a.get("class") or "")]


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def summary(**fields: Any) -> dict[str, Any]:
    return {
        "out": "out.jsonl",
        "errors": None,
        "report": "out.jsonl.report.html",
        "source": "photos",
        "rows": 12345,
        "failed": 67,
        "reused": 890,
        "left_out": {},
        "seconds": 3725.0,
        "rows_per_s": 3.25,
        "model": "detector",
        "version": "7",
        "task": "object-detection",
        "parameters": {"threshold": 0.25},
        "labels": {"cat": 4321, "dog": 1080},
        "score_histogram": [0] * 18 + [401, 5000],
        "error_types": {"invalid_row": 67},
        "failures": [],
        "stretches": {"width": 50, "labels": [], "stretches": []},
        "drift": [],
        "stages_s": {"answering": 3700.0, "writing": 25.0},
        "compute_seconds": 601.0,
        **fields,
    }


def png(width: int = 400, height: int = 200, colour: Any = (9, 99, 199)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


def noise(seed: int, side: int = 640) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def box(label: str, left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    corners = {"xmin": left, "ymin": top, "xmax": right, "ymax": bottom}
    return {"label": label, "score": 0.5, "box": corners}


def answer(task: str, field: str, items: list[dict[str, Any]]) -> TaskOutput:
    return get_task(task).output.model_validate({field: [items]})


def sample(output: TaskOutput | None, image: bytes = b"", **fields: Any) -> Sample:
    small = thumbnail(image)
    shown = (
        {"picture": small.file, "size": small.size} if small else {"picture": b"", "size": (0, 0)}
    )
    return Sample(**{"id": "a.png", "texts": {}, "output": output, **shown, **fields})


def opened(uri: str | None) -> Image.Image:
    assert uri is not None
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
