"""Answers to write down, and what writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wherry.client.annotate.formats import writer_of
from wherry.client.annotate.rows import Annotation, Origin
from wherry.tasks.annotations.fits import text_field
from wherry.tasks.base import TaskOutput
from wherry.tasks.registry import get_task
from wherry.tasks.values.masks import write_mask

SIZE = (640, 480)
#: Ids that are no file names, or clash as such.
HARD_IDS = (
    "../../etc/passwd",
    "/etc/passwd",
    "a/../b.jpg",
    "..",
    "",
    "a//b",
    "photo.jpg",
    "photo.png",
    "PHOTO.JPG",
    "caf\u00e9.jpg",
    "cafe\u0301.jpg",
    "photo.txt/inner.jpg",
    "photo",
    "con.jpg",
    "a\\b:c*?.jpg",
    "nul\x00\n,\";'.jpg",
    "broken\udcff.jpg",
    "x" * 300 + ".jpg",
    "x" * 300 + ".png",
    "deep/" * 60 + "end.jpg",
    "ends in a dot.",
    "ends in a dot",
    "\u6d77/\U0001f6a2.jpg",
)
#: Labels that some reader or other trips over.
HARD_LABELS = (
    "boat",
    "caf\u00e9, \u6d77",
    "\U0001f6a2",
    'quo"te',
    "back\\slash",
    "new\nline",
    "carriage\rreturn",
    "para\u2028graph",
    "nul\x00",
    "half\udcff",
    " spaces ",
    "NA",
    "",
    "<&>",
    "#: -",
    "=1+1",
)


def origin(task: str, **parameters: Any) -> Origin:
    """What made answers of a task."""
    return Origin(get_task(task), "sea", "3", parameters, "photos")


def row(
    task: str,
    index: int,
    items: Any,
    row_id: str | None = None,
    size: tuple[int, int] | None = SIZE,
    path: str = "",
) -> Annotation:
    """A row of a task whose output has one field, by what that field holds for it."""
    output = get_task(task).output
    return Annotation(
        index=index,
        id=f"{index:06d}.jpg" if row_id is None else row_id,
        path=path,
        output=output.model_validate({output.ROWS[0]: [items]}),
        size=size,
    )


def box(label: str, score: float, *corners: float) -> dict[str, Any]:
    """A detected object."""
    return {
        "label": label,
        "score": score,
        "box": dict(zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)),
    }


def disc(x: int, y: int, radius: int, size: tuple[int, int] = SIZE) -> Any:
    """A round mask (H, W)."""
    down, across = np.mgrid[: size[1], : size[0]]
    return (across - x) ** 2 + (down - y) ** 2 <= radius**2


def segment(label: str, score: float, mask: Any) -> dict[str, Any]:
    """A segment of an image."""
    return {"label": label, "score": score, "mask": write_mask(mask)}


def examples(task: str) -> list[Annotation]:
    """A row with the task's example and one where nothing was found."""
    found = get_task(task)
    outputs: Sequence[TaskOutput] = [*found.example.output.rows(), found.output.empty()]
    field = text_field(found)
    text = str(getattr(found.example.input, field)[0]) if field else ""
    return [
        Annotation(place, f"a/{place}.jpg", f"photos/a/{place}.jpg", output, (8, 8), text=text)
        for place, output in enumerate(outputs)
    ]


def written(
    name: str, path: Path, annotations: Iterable[Annotation], task: str, **parameters: Any
) -> Path:
    """Write annotations in a format."""
    with writer_of(name, get_task(task))(path, origin(task, **parameters)) as writer:
        for annotation in annotations:
            writer.write(annotation)
    return path


def contents(path: Path) -> dict[str, bytes]:
    """Every file of an output, by its path in it."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
