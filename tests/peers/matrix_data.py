"""One made data set for every writer and reader: pictures that are hard to name, size or turn, and
what is in them.

Answers are made, not computed, so that what a reader must see is known.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wherry.client.annotate.formats import OutputLayout, writer_of
from wherry.client.annotate.packing import image_size
from wherry.client.annotate.pictures import Pictures
from wherry.client.annotate.rows import Annotation, Origin, SourceRow
from wherry.client.annotate.sources import open_source
from wherry.tasks.registry import get_task
from wherry.tasks.values.masks import write_mask

#: Name -> width and height as it is displayed, and how many objects are in it.
PICTURES = {
    "a/cat.png": (40, 30, 3),
    "a/cat.webp": (50, 35, 2),
    "b/cat.jpg": (64, 48, 4),
    "dot.png": (1, 1, 1),
    "tall.png": (3, 500, 2),
    "nothing.png": (32, 32, 0),
    "b/nothing too.webp": (21, 13, 0),
    "turned6.jpg": (40, 60, 2),
    "turned8.jpg": (40, 60, 2),
    "turned6.png": (41, 61, 2),
    "turned8.webp": (42, 62, 2),
    "sky.avif": (48, 32, 2),
    "\u6d77/caf\u00e9 1.jpg": (33, 44, 2),
    "two.dots.here.png": (30, 20, 1),
    "odd 'q', #1;%.png": (37, 29, 2),
    "cam 10:30.png": (36, 28, 1),
    'say "hi".jpg': (45, 31, 1),
}

#: What readers of quotes, commas, YAML, XML, and of "nothing" trip over.
LABELS = ("boat", "caf\u00e9 \u6d77", 'a "quote", and comma', "it's <&> #1: -", "two  blanks", "NA")

#: Points of an object.
POINTS = ("nose", "left eye", "right eye")


@dataclass(frozen=True)
class Thing:
    """What is in a picture."""

    label: str
    score: float
    box: tuple[float, float, float, float]  # left, top, right, bottom, in pixels
    mask: NDArray[np.bool_]  # (H, W)
    points: tuple[tuple[float, float], ...]  # x, y of each of POINTS


def make_pictures(folder: Path) -> None:
    """Write the pictures below a folder."""
    for name, (width, height, _) in PICTURES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        down, across = np.mgrid[:height, :width]
        pixels = np.stack([across * 5 % 256, down * 3 % 256, (across + down) % 256], axis=-1)
        image = Image.fromarray(pixels.astype(np.uint8))
        exif = Image.Exif()
        if "turned" in name:
            orientation = 6 if "6" in name else 8
            exif[274] = orientation
            # What a camera stores: the upright picture turned back.
            image = image.transpose(
                Image.Transpose.ROTATE_90 if orientation == 6 else Image.Transpose.ROTATE_270
            )
        image.save(file, exif=exif)


def things(name: str) -> list[Thing]:
    """What is in a picture, the surest first, the same each time."""
    width, height, count = PICTURES[name]
    chance = random.Random(name)  # made up, the same each time
    found = [_thing(chance, width, height) for _ in range(count)]
    return sorted(found, key=lambda thing: -thing.score)


def _thing(chance: random.Random, width: int, height: int) -> Thing:
    left, top = chance.randrange(0, max(1, width // 2)), chance.randrange(0, max(1, height // 2))
    right = min(width, left + chance.randrange(1, max(2, width // 2)))
    bottom = min(height, top + chance.randrange(1, max(2, height // 2)))
    mask = np.zeros((height, width), dtype=bool)
    mask[top:bottom, left:right] = True
    if right - left > 8 and bottom - top > 8:  # a ring, and so a hole
        mask[top + 3 : bottom - 3, left + 3 : right - 3] = False
    box = (
        max(0.0, round(left + chance.random() / 3, 2)),
        max(0.0, round(top + chance.random() / 3, 2)),
        round(right - chance.random() / 3, 2),
        round(bottom - chance.random() / 3, 2),
    )
    points = tuple(
        (round(chance.uniform(0, width), 2), round(chance.uniform(0, height), 2)) for _ in POINTS
    )
    return Thing(chance.choice(LABELS), round(chance.uniform(0.1, 0.99), 4), box, mask, points)


def painted(found: list[Thing], *, by_label: bool) -> list[Thing]:
    """What is left of each where a pixel is the surest's; those `by_label` are one."""
    taken: NDArray[np.bool_] = np.zeros_like(found[0].mask) if found else np.zeros(0, bool)
    left: dict[object, Thing] = {}
    for number, thing in enumerate(sorted(found, key=lambda thing: -thing.score)):
        mask = thing.mask & ~taken
        taken = taken | mask
        key = thing.label if by_label else number
        whole = mask | left[key].mask if key in left else mask
        left[key] = replace(thing, mask=whole)
    return [thing for thing in left.values() if thing.mask.any()]


def _box(thing: Thing) -> dict[str, Any]:
    corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), thing.box, strict=True))
    return {"label": thing.label, "score": thing.score, "box": corners}


def _segment(thing: Thing) -> dict[str, Any]:
    return {"label": thing.label, "score": thing.score, "mask": write_mask(thing.mask)}


def _points(number: int, thing: Thing) -> list[dict[str, Any]]:
    return [
        {"label": label, "x": x, "y": y, "score": thing.score, "object": number}
        for label, (x, y) in zip(POINTS, thing.points, strict=True)
    ]


def caption(name: str) -> str:
    """The text about a picture."""
    return f'{name}: "quoted", caf\u00e9 & <more>'


#: Task -> what it answers of a picture, as the one field of its output has it.
ANSWERS: dict[str, Callable[[str], Any]] = {
    "object-detection": lambda name: list(map(_box, things(name))),
    "image-segmentation": lambda name: list(map(_segment, things(name))),
    "keypoint-detection": lambda name: [
        point for number, thing in enumerate(things(name)) for point in _points(number, thing)
    ],
    "image-classification": lambda name: [
        {"label": thing.label, "score": thing.score} for thing in things(name)
    ],
    "image-to-text": caption,
}


def rows(photos: Path, task_name: str) -> Iterator[Annotation]:
    """The rows as the product reads them, ids, paths and sizes its own, with the made answers."""
    task = get_task(task_name)
    for index, row in enumerate(open_source(str(photos), task)):
        assert isinstance(row, SourceRow)
        answer = {task.output.ROWS[0]: [ANSWERS[task_name](row.id)]}
        output = task.output.model_validate(answer)
        yield Annotation(index, row.id, row.path, output, image_size(task, row))


def write(
    form: str, task_name: str, photos: Path, path: Path, without: Collection[str] = ()
) -> Path:
    """The data set in a format, without some of its pictures."""
    origin = Origin(get_task(task_name), "sea", "3", {}, str(photos))
    kind = writer_of(form, origin.task)
    pictures = Pictures(path.with_name(f"{path.name}-pictures"), link=False)
    layout = (OutputLayout(pictures=pictures),) if "images" in kind.uses else ()
    with kind(path, origin, *layout) as writer:
        for annotation in rows(photos, task_name):
            if annotation.id not in without:
                pictures.keep(annotation.index, (photos / annotation.id).read_bytes(), "")
                writer.write(annotation)
    return path
