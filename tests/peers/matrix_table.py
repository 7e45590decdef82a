"""Which independent reader takes what of which format: the matrix on docs/annotate.md.

Each row is held by tests/peers/test_reader_matrix.py; the page's table is written from them:
`python -m tests.peers.matrix_table docs/annotate.md`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from .matrix_data import PICTURES, things

#: Readers and their versions.
PACKAGES = {
    "datasets": "5.2.0",
    "datumaro": "1.13.12",
    "duckdb": "2.0.1",
    "globox": "2.9.0",
    "label-studio-sdk": "2.1.2",
    "opencv-python-headless": "4.12.0.88",
    "pandas": "3.1.1",
    "polars": "2.1.0",
    "pyarrow": "26.0.1",
    "pycocotools": "2.0.11",
    "supervision": "0.31.2",
    "tritonclient[http]": "2.73.0",
    "ultralytics": "8.4.190",
}


class Lacks(NamedTuple):
    """Pictures that a reader does not take, and why, for people."""

    pictures: tuple[str, ...]
    why: str


class Cell(NamedTuple):
    """A format that a reader takes."""

    form: str
    task: str
    #: The package, and its function in tests/peers/matrix_client.py.
    package: str
    reader: str
    #: What comes back of each object, of `label`, `score`, `box`, `mask`, `points`, `text`.
    holds: str
    #: Pixels that an edge may be off: what the format rounds to.
    pixels: float = 0.01
    lacks: Lacks = Lacks((), "")
    #: Whether the reader says how large a picture is.
    sized: bool = True
    #: Whether pictures without an object come back.
    empty: bool = True


DETECTION, SEGMENTS, POINTS = "object-detection", "image-segmentation", "keypoint-detection"
CLASSES, TEXT = "image-classification", "image-to-text"

_BOXES, _MASKS, _PLACES = "label score box", "label score mask", "label score points"

#: Datumaro knows a picture by its path without the suffix.
_SAME_STEM = Lacks(
    ("a/cat.webp", "turned6.png", "turned8.webp"),
    "refuses pictures of a folder that differ in their suffix alone",
)
#: OpenCV turns JPEG and PNG.
_NOT_TURNED = Lacks(("turned8.webp",), "opens turned WebP as it is stored")

_COCO = (
    Cell("coco-detection", DETECTION, "pycocotools", "pycocotools", _BOXES),
    Cell(
        "coco-detection", DETECTION, "datumaro", "datumaro_coco_instances", _BOXES, lacks=_SAME_STEM
    ),
    Cell("coco-detection", DETECTION, "globox", "globox_coco", _BOXES),
    Cell(
        *("coco-detection", DETECTION, "supervision", "supervision_coco", "label box"),
        lacks=_NOT_TURNED,
    ),
    Cell("coco-instance", SEGMENTS, "pycocotools", "pycocotools", _MASKS),
    Cell(
        "coco-instance", SEGMENTS, "datumaro", "datumaro_coco_instances", _MASKS, lacks=_SAME_STEM
    ),
    Cell(
        "coco-instance",
        SEGMENTS,
        "supervision",
        "supervision_coco",
        "label mask",
        lacks=_NOT_TURNED,
    ),
    Cell(
        *("coco-panoptic", SEGMENTS, "datumaro", "datumaro_coco_panoptic", "label mask"),
        lacks=_SAME_STEM,
    ),
    Cell("coco-keypoints", POINTS, "pycocotools", "pycocotools", "score points"),
    Cell(
        "coco-keypoints",
        POINTS,
        "datumaro",
        "datumaro_coco_person_keypoints",
        "score points",
        lacks=_SAME_STEM,
    ),
    Cell("coco-captions", TEXT, "pycocotools", "pycocotools", "text"),
    Cell("coco-captions", TEXT, "datumaro", "datumaro_coco_captions", "text", lacks=_SAME_STEM),
)

_TABLES = tuple(
    Cell(form, task, package, f"{package}_{reader}", holds)
    for form, reader, packages in (
        ("jsonl", "jsonl", "pandas polars duckdb datasets"),
        ("parquet", "parquet", "pandas polars duckdb datasets pyarrow"),
        ("csv", "csv", "pandas polars duckdb datasets pyarrow"),
        ("datasets", "folder", "datasets polars"),
    )
    for package in packages.split()
    for task, holds in (
        (DETECTION, _BOXES),
        *([(SEGMENTS, _MASKS)] if form != "csv" else []),
        (POINTS, _PLACES),
        (CLASSES, "label score"),
        (TEXT, "text"),
    )
)

_LABEL_STUDIO = tuple(
    Cell("label-studio", task, "label-studio-sdk", f"label_studio_{kind}", holds, sized=False)
    for task, kind, holds in (
        (DETECTION, "box", "label box"),
        (SEGMENTS, "brush", "label mask"),
        (TEXT, "text", "text"),
    )
)

_MASK_FILES = (
    Cell("masks", SEGMENTS, "opencv-python-headless", "opencv_masks", _MASKS),
    Cell("semantic-masks", SEGMENTS, "opencv-python-headless", "opencv_semantic", "label mask"),
)

_OIP = tuple(
    Cell("oip-jsonl", task, "tritonclient[http]", "tritonclient_lines", holds, sized=False)
    for task, holds in ((DETECTION, _BOXES), (TEXT, "text"))
)

_NESTED = tuple(name for name in PICTURES if "/" in name)
_NO_AVIF = Lacks(
    ("sky.avif", "turned6.png", "turned8.webp"),
    "no AVIF; opens turned PNG and WebP as they are stored",
)
_COLON = Lacks(
    tuple(name for name in PICTURES if any(":" in thing.label for thing in things(name))),
    "no labels with a colon, which `labelmap.txt` cannot hold",
)
_PAIRED = Lacks(
    (
        *(*_SAME_STEM.pictures, "a/cat.png", "turned6.jpg", "turned8.jpg", "sky.avif"),
        *("cam 10:30.png", 'say "hi".jpg'),
    ),
    "no AVIF; mixes up pictures that differ in their suffix alone, and finds none with a name that "
    "Windows refuses",
)
_SMALL = Lacks(("dot.png", "tall.png"), "leaves out pictures under 10 pixels")
_FLAT = Lacks((*_NESTED, "sky.avif", "turned8.webp"), "reads no folders in folders, no AVIF")
_TRAINING = (
    Cell(
        *("yolo", DETECTION, "ultralytics", "ultralytics_detect", "label box"),
        lacks=_SMALL,
    ),
    Cell(
        *("yolo", DETECTION, "supervision", "supervision_yolo", "label box"),
        lacks=_FLAT,
    ),
    Cell("yolo", DETECTION, "datumaro", "datumaro_yolo", "label box", lacks=_NO_AVIF),
    Cell(
        *("yolo-seg", SEGMENTS, "ultralytics", "ultralytics_segment", "label mask"),
        lacks=_SMALL,
    ),
    Cell(
        *("yolo-pose", POINTS, "ultralytics", "ultralytics_pose", "points"),
        lacks=_SMALL,
    ),
    Cell(
        *("yolo-obb", SEGMENTS, "ultralytics", "ultralytics_obb", "label"),
        lacks=_SMALL,
    ),
    Cell("voc", DETECTION, "datumaro", "datumaro_voc", "label box", 1.5, lacks=_COLON),
    Cell("voc", DETECTION, "globox", "globox_voc", "label box", pixels=1.5),
    Cell(
        *("voc", DETECTION, "supervision", "supervision_voc", "label box", 1.5),
        lacks=_FLAT,
    ),
    Cell("cvat", DETECTION, "datumaro", "datumaro_cvat", "label box", lacks=_SAME_STEM),
    Cell("cvat", DETECTION, "globox", "globox_cvat", "label box"),
    Cell("cvat", SEGMENTS, "datumaro", "datumaro_cvat", "label mask", lacks=_SAME_STEM),
    Cell("labelme", DETECTION, "globox", "globox_labelme", "label box"),
    Cell("open-images", DETECTION, "datumaro", "datumaro_open_images", "label box", lacks=_PAIRED),
    Cell("datumaro", DETECTION, "datumaro", "datumaro_datumaro", _BOXES, lacks=_SAME_STEM),
    Cell("datumaro", SEGMENTS, "datumaro", "datumaro_datumaro", _MASKS, lacks=_SAME_STEM),
    Cell("datumaro", POINTS, "datumaro", "datumaro_datumaro", _PLACES, lacks=_SAME_STEM),
    Cell("datumaro", TEXT, "datumaro", "datumaro_datumaro", "text", lacks=_SAME_STEM),
    Cell("indexed-masks", SEGMENTS, "datumaro", "datumaro_indexed", "label mask", lacks=_PAIRED),
)

CELLS = _COCO + _LABEL_STUDIO + _TRAINING + _MASK_FILES + _TABLES + _OIP

#: Formats without a row here, and why.
UNREAD = {
    "conll": "spaCy and lines, in its own test",
    "ctm": "lines, in its own test",
    "cvat-video": "of films",
    "label-studio-video": "of films",
    "files": "the files as answered; the manifest is JSON, a line a row",
    "mot": "of films",
    "spacy": "in its own test",
    "srt": "of sounds",
    "webvtt": "of sounds",
    "yolo-classify": "a folder a label",
}

_BEGIN, _END = "<!-- what readers see: begin -->\n", "<!-- what readers see: end -->\n"


def table() -> str:
    """The matrix: a line for readers that see the same of a format."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for form in dict.fromkeys(cell.form for cell in CELLS):
        for package in sorted({cell.package for cell in CELLS if cell.form == form}):
            cells = [cell for cell in CELLS if (cell.form, cell.package) == (form, package)]
            held = [_words(word, cell) for cell in cells for word in cell.holds.split()]
            but = "; ".join(dict.fromkeys(cell.lacks.why for cell in cells if cell.lacks.why))
            readers = lines.setdefault((form, ", ".join(dict.fromkeys(held)), but), [])
            readers.append(f"{package} {PACKAGES[package]}")
    head = ["| format | readers | what they see of each object | but |", "|---|---|---|---|"]
    rows = [
        f"| `{form}` | {', '.join(readers)} | {told} | {but} |"
        for (form, told, but), readers in lines.items()
    ]
    return "\n".join([*head, *rows]) + "\n"


def _words(word: str, cell: Cell) -> str:
    return f"{word} to {cell.pixels:g} px" if word in ("box", "points") else word


def page(text: str) -> str:
    """The page with the matrix in its place."""
    head, _, rest = text.partition(_BEGIN)
    return head + _BEGIN + "\n" + table() + "\n" + _END + rest.partition(_END)[2]


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(page(path.read_text()))
