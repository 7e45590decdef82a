"""One row's answer as Label Studio's results.

Lengths are percent of the image. A result names the control of a labelling configuration that
shows it, under the name that docs/annotate.md gives it:

    box, keypoint, brush, choice     RectangleLabels, KeyPointLabels, BrushLabels, Choices
    polygon                          PolygonLabels, for masks where they are asked for so
    span                             Labels, stretches of a text
    line, text                       Rectangle and TextArea, one region each for text recognition

See https://labelstud.io/guide/predictions and https://labelstud.io/guide/task_format.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..base import TaskOutput
from ..boxes import BoundingBox
from ..values.rounding import number, percent

#: Width of a keypoint's dot, percent of the image's.
_DOT = 0.5

#: A result of Label Studio's JSON, without its id and the object that it is about.
Result = dict[str, Any]

#: Width and height in pixels.
Size = tuple[int, int]


class PlacedResult(NamedTuple):
    """A result, and the number of the region that it belongs to."""

    place: int
    result: Result


def results_of(
    output: TaskOutput, size: Size | None, *, polygons: bool = False
) -> Iterator[PlacedResult]:
    """The results of one row's answer, the surest first.

    Of labels and answers of the whole row all are given; Label Studio shows one. Raises ValueError
    for regions of an image whose size is not known.
    """
    row = getattr(output, output.ROWS[0])[0]
    text = row if isinstance(row, str) else getattr(row, "text", None)
    if isinstance(text, str):
        yield PlacedResult(0, _text(text))
        return
    for place, item in enumerate(row if isinstance(row, list) else ()):
        if hasattr(item, "answer"):
            yield PlacedResult(0, {**_text(item.answer), **_score(item)})
        elif hasattr(item, "entity"):
            yield PlacedResult(place, _span(item))
        elif hasattr(item, "box") or hasattr(item, "mask") or hasattr(item, "x"):
            if size is None or 0 in size:
                raise ValueError("the size of its image is not known")
            for result in _region(item, size, polygons=polygons):
                yield PlacedResult(place, {**_score(item), **_drawn_on(size), **result})
        elif hasattr(item, "label"):
            choice = _result("choices", "choice", {"choices": [item.label]})
            yield PlacedResult(0, {**choice, **_score(item)})


def speech_of(output: TaskOutput, label: str) -> Iterator[PlacedResult]:
    """The regions of a sound in which something is said, each with its text.

    Raises ValueError for a model that does not know when.
    """
    chunks = (getattr(output, "chunks", None) or [None])[0]
    if chunks is None:
        raise ValueError("the model does not tell when what was said: leave out perRegion")
    for place, chunk in enumerate(chunks):
        span = {"start": number(chunk.start), "end": number(chunk.end), "channel": 0}
        yield PlacedResult(place, _result("labels", "span", {**span, "labels": [label]}))
        yield PlacedResult(place, _result("textarea", "text", {**span, "text": [chunk.text]}))


def mean_score(results: list[Result]) -> float:
    """The score of a prediction: its results' mean, 0 without any."""
    scores = [result["score"] for result in results if result.get("score") is not None]
    return number(sum(scores) / len(scores)) or 0.0 if scores else 0.0


def _score(item: Any) -> Result:
    return {"score": number(item.score)} if hasattr(item, "score") else {}


def _region(item: Any, size: Size, *, polygons: bool) -> Iterator[Result]:
    label = getattr(item, "label", "") or ("point" if hasattr(item, "x") else "object")
    if hasattr(item, "mask"):
        yield from _mask(item.mask, label, polygons=polygons)
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


def _mask(png: bytes, label: str, *, polygons: bool) -> Iterator[Result]:
    from ..values.masks import read_mask  # numpy and Pillow, for masks alone
    from ..values.polygons import polygon
    from .brush_rle import brush_rle

    mask = read_mask(png)
    if not polygons:
        value = {"format": "rle", "rle": brush_rle(mask), "brushlabels": [label]}
        yield _result("brushlabels", "brush", value)
    elif corners := polygon(mask):
        height, width = mask.shape
        points = [[percent(x, width), percent(y, height)] for x, y in corners]
        ring = {"points": points, "closed": True, "polygonlabels": [label]}
        yield _result("polygonlabels", "polygon", ring)


def _box(box: BoundingBox, size: Size) -> dict[str, float]:
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


def _span(item: Any) -> Result:
    value = {"start": item.start, "end": item.end, "text": item.word, "labels": [item.entity]}
    return {**_result("labels", "span", value), **_score(item)}


def _text(text: str) -> Result:
    return _result("textarea", "text", {"text": [text]})


def _result(kind: str, control: str, value: dict[str, Any]) -> Result:
    return {"type": kind, "from_name": control, "value": value}


def _drawn_on(size: Size) -> Result:
    return {"original_width": size[0], "original_height": size[1], "image_rotation": 0}
