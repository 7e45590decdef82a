"""Formats: what annotations are written as. One small file each; `fits.py` says what suits a task.

Each loads only when it is chosen, with what it needs: pyarrow for parquet and datasets, numpy and
Pillow for masks.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from ....protocol.errors import InvalidRequest
from ....protocol.nearest import meant, nearest
from ....tasks.annotations.fits import fits
from ....tasks.base import Task
from ...errors import UsageError
from .base import OutputLayout, Writer

__all__ = [
    "FORMATS",
    "OutputLayout",
    "Writer",
    "format_of",
    "formats_for",
    "known_format",
    "writer_of",
]

#: Format -> file:class.
FORMATS = {
    "jsonl": "jsonl:JsonLines",
    "oip-jsonl": "oip_jsonl:OipLines",
    "parquet": "parquet:Parquet",
    "csv": "comma_separated:CommaSeparated",
    "datasets": "datasets_folder:DatasetsFolder",
    "coco-detection": "coco_detection:CocoDetection",
    "coco-instance": "coco_instance:CocoInstance",
    "coco-panoptic": "coco_panoptic:CocoPanoptic",
    "coco-keypoints": "coco_keypoints:CocoKeypoints",
    "coco-captions": "coco_captions:CocoCaptions",
    "cvat-video": "cvat_video:CvatVideo",
    "mot": "mot:Mot",
    "label-studio": "label_studio:LabelStudio",
    "label-studio-video": "label_studio_video:LabelStudioVideo",
    "yolo": "yolo:Yolo",
    "yolo-seg": "yolo_seg:YoloSeg",
    "yolo-pose": "yolo_pose:YoloPoints",
    "yolo-obb": "yolo_obb:YoloObb",
    "yolo-classify": "yolo_classify:YoloTree",
    "voc": "voc:Voc",
    "cvat": "cvat:Cvat",
    "labelme": "labelme:LabelMe",
    "open-images": "open_images:OpenImages",
    "datumaro": "datumaro:Datumaro",
    "masks": "files:Files",
    "semantic-masks": "semantic_masks:SemanticMasks",
    "indexed-masks": "indexed_masks:IndexedMasks",
    "files": "files:Files",
    "webvtt": "webvtt:WebVtt",
    "srt": "srt:SubRip",
    "ctm": "ctm:Ctm",
    "conll": "conll:Conll",
    "spacy": "spacy_lines:SpacyLines",
}

#: Suffix of each row's file -> the format that makes such in a folder.
_EACH = {".vtt": "webvtt", ".srt": "srt"}

#: Suffix of OUT -> formats, of which the first that fits is taken.
_SUFFIXES: dict[str, tuple[str, ...]] = {
    ".jsonl": ("jsonl",),
    ".ndjson": ("jsonl",),
    ".parquet": ("parquet",),
    ".csv": ("csv",),
    ".json": (
        "coco-detection",
        "coco-instance",
        "coco-keypoints",
        "coco-captions",
        "label-studio",
    ),
    ".xml": ("cvat",),
    ".ctm": ("ctm",),
    ".conll": ("conll",),
    # Nobody means a folder: YOLO is one of .txt; nothing is written packed.
    **dict.fromkeys((*_EACH, ".txt", ".tsv", ".arrow", ".feather", ".gz", ".tar", ".zip"), ()),
    "": ("masks", "files", "datasets"),
}

_EXTRA = "pip install 'wherry[annotate]'"


def formats_for(task: Task) -> tuple[str, ...]:
    """The formats that can hold the task's answers, the native one first."""
    return tuple(name for name in FORMATS if fits(name, task))


def format_of(path: str | Path, task: Task) -> str:
    """The format that a path's suffix stands for; a folder where it has none of those known.

    Raises UsageError where no format of that suffix fits the task, or it is nearly another.
    """
    suffix = Path(path).suffix.lower()
    written = [suffix for suffix, names in _SUFFIXES.items() if names]
    near = "" if suffix in _SUFFIXES else meant(suffix, written)
    if near:
        raise UsageError(f"out {Path(path).name!r}{near} For a folder of that name give the format")
    for name in _SUFFIXES.get(suffix, _SUFFIXES[""]):
        if fits(name, task):
            return name
    if suffix in _EACH and fits(_EACH[suffix], task):
        raise UsageError(
            f"out {Path(path).name!r}: format {_EACH[suffix]!r} writes a {suffix} for each row: "
            f"name a folder for them, with --format {_EACH[suffix]}"
        )
    raise UsageError(
        f"{Path(path).name!r}: no format that ends in {suffix} fits {task.name}; name one of "
        + ", ".join(formats_for(task))
    )


def known_format(name: str) -> str:
    """The name. Raises UsageError for one that is no format's."""
    if name not in FORMATS:
        hint = meant(name, FORMATS) or _kin(name) or f"; there are {', '.join(FORMATS)}"
        raise UsageError(f"unknown format {name!r}{hint}")
    return name


def _kin(name: str) -> str:
    """The formats that begin with a word that a name is nearly."""
    word = nearest(name, {form.partition("-")[0] for form in FORMATS})
    kin = [repr(form) for form in FORMATS if word and form.partition("-")[0] == word]
    return f"; did you mean one of {', '.join(kin)}?" if kin else ""


def writer_of(name: str, task: Task) -> type[Writer]:
    """What writes a format.

    Raises UsageError for one that does not fit, InvalidRequest where a package is missing.
    """
    if not fits(known_format(name), task):
        fit = ", ".join(formats_for(task))
        raise UsageError(f"format {name!r} cannot hold what {task.name} answers; use {fit}")
    module, _, found = FORMATS[name].partition(":")
    try:
        writer: type[Writer] = getattr(importlib.import_module(f".{module}", __package__), found)
    except ModuleNotFoundError as error:
        raise InvalidRequest(f"format {name!r} needs {error.name}: {_EXTRA}") from error
    return writer
