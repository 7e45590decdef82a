"""Label Studio's predictions, a JSON list of tasks to import.

Each task has `data.image` (or `data.audio`), the row's path or id, and one prediction. Lengths are
percent of the image. Results name the controls of a labelling configuration:

    box, keypoint, brush, choice     RectangleLabels, KeyPointLabels, BrushLabels, Choices
    line, text                       Rectangle and TextArea, one region each for text recognition

See https://labelstud.io/guide/predictions and https://labelstud.io/guide/task_format.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....protocol.errors import InvalidRequest
from ....tasks.boxes import BoundingBox
from ..rows import Annotation, Origin
from .fits import has_answers, has_labels, has_text, items_of, label_of, medium
from .held_files import HeldFiles
from .records import record_of
from .rounding import number, percent
from .text import json_text

#: Width of a keypoint's dot, percent of the image's.
_DOT = 0.5


class LabelStudio(HeldFiles):
    """A task a row; one without results has an empty prediction."""

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._file = self._open(path)
        self._version = ":".join(filter(None, (origin.model, origin.version)))
        self._medium = medium(origin.task)
        self._file.write("[")
        self._count = 0

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        results = [
            {"id": f"{annotation.index}-{place}", "to_name": self._medium, **result}
            for place, result in self._results(annotation)
        ]
        scores = [result["score"] for result in results if result.get("score") is not None]
        prediction = {
            "model_version": self._version,
            "score": number(sum(scores) / len(scores)) if scores else 0.0,
            "result": results,
        }
        shown = annotation.path or annotation.id
        task = {
            "data": {self._medium: shown, "wherry_id": annotation.id},
            "predictions": [prediction],
        }
        self._file.write((",\n" if self._count else "\n") + json_text(task))
        self._count += 1

    def _finish(self) -> None:
        self._file.write("\n]\n")

    def _results(self, annotation: Annotation) -> Iterator[tuple[int, dict[str, Any]]]:
        """The number of each result's region, and the result."""
        task = self.origin.task
        if has_text(task):
            yield 0, _text(record_of(annotation, task)["text"])
            return
        items = items_of(annotation.output)
        if has_labels(task) or has_answers(task):
            yield from ((0, _said(item)) for item in items[:1])
            return
        size = _size(annotation)
        for place, item in enumerate(items):
            for result in _region(item, size):
                yield place, {"score": number(item.score), **_drawn_on(size), **result}


def _region(item: Any, size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    label = label_of(item) or "point"
    if hasattr(item, "mask"):
        yield _brush(item.mask, label)
    elif not hasattr(item, "box"):
        value = {"x": percent(item.x, size[0]), "y": percent(item.y, size[1]), "width": _DOT}
        yield _result("keypointlabels", "keypoint", {**value, "keypointlabels": [label]})
    elif hasattr(item, "text"):
        box = _box(item.box, size)
        yield _result("rectangle", "line", box)
        yield _result("textarea", "text", {**box, "text": [item.text]})
    else:
        box = _box(item.box, size)
        yield _result("rectanglelabels", "box", {**box, "rectanglelabels": [label]})


def _brush(png: bytes, label: str) -> dict[str, Any]:
    from ....tasks.masks import read_mask  # numpy and Pillow, for masks alone
    from .label_studio_rle import brush_rle

    value = {"format": "rle", "rle": brush_rle(read_mask(png)), "brushlabels": [label]}
    return _result("brushlabels", "brush", value)


def _box(box: BoundingBox, size: tuple[int, int]) -> dict[str, float]:
    width, height = size
    left, top = percent(box.xmin, width), percent(box.ymin, height)
    right, bottom = percent(box.xmax, width), percent(box.ymax, height)
    return {
        "x": left,
        "y": top,
        "width": round(right - left, 4),
        "height": round(bottom - top, 4),
        "rotation": 0,
    }


def _said(item: Any) -> dict[str, Any]:
    """The surest label or answer."""
    if hasattr(item, "answer"):
        return {**_text(item.answer), "score": number(item.score)}
    return {**_result("choices", "choice", {"choices": [item.label]}), "score": number(item.score)}


def _text(text: str) -> dict[str, Any]:
    return _result("textarea", "text", {"text": [text]})


def _result(kind: str, control: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "from_name": control, "value": value}


def _drawn_on(size: tuple[int, int]) -> dict[str, Any]:
    return {"original_width": size[0], "original_height": size[1], "image_rotation": 0}


def _size(annotation: Annotation) -> tuple[int, int]:
    if not annotation.size or 0 in annotation.size:
        raise InvalidRequest(f"row {annotation.id!r}: the size of its image is not known")
    return annotation.size
