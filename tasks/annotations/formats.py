"""The formats of annotations: what each is called, and what it is made as."""

from __future__ import annotations

from typing import NamedTuple

from ..base import Task
from .fits import fits


class AnnotationFormat(NamedTuple):
    """One format. `client/annotate/formats/` has what writes it."""

    name: str
    title: str
    #: How its file ends; "" for a folder.
    suffix: str = ""
    #: Whether it is lines, of which any part of the rows makes an output of its own.
    is_lines: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of files."""
        return not self.suffix


#: All of them: the native one first, those of one kind together.
FORMATS = (
    AnnotationFormat("jsonl", "JSON lines", ".jsonl", is_lines=True),
    AnnotationFormat(
        "oip-jsonl", "Open Inference Protocol, a response a line", ".jsonl", is_lines=True
    ),
    AnnotationFormat("parquet", "Parquet", ".parquet"),
    AnnotationFormat("csv", "CSV", ".csv", is_lines=True),
    AnnotationFormat("datasets", "Hugging Face datasets"),
    AnnotationFormat("coco-detection", "COCO detection", ".json"),
    AnnotationFormat("coco-instance", "COCO instance segmentation", ".json"),
    AnnotationFormat("coco-panoptic", "COCO panoptic segmentation"),
    AnnotationFormat("coco-keypoints", "COCO keypoints", ".json"),
    AnnotationFormat("coco-captions", "COCO captions", ".json"),
    AnnotationFormat("cvat-video", "CVAT for video"),
    AnnotationFormat("mot", "MOTChallenge"),
    AnnotationFormat("label-studio", "Label Studio", ".json"),
    AnnotationFormat("label-studio-video", "Label Studio, films"),
    AnnotationFormat("yolo", "YOLO boxes"),
    AnnotationFormat("yolo-seg", "YOLO segments"),
    AnnotationFormat("yolo-pose", "YOLO keypoints"),
    AnnotationFormat("yolo-obb", "YOLO oriented boxes"),
    AnnotationFormat("yolo-classify", "YOLO classes"),
    AnnotationFormat("voc", "Pascal VOC"),
    AnnotationFormat("cvat", "CVAT for images", ".xml"),
    AnnotationFormat("labelme", "labelme"),
    AnnotationFormat("open-images", "Open Images"),
    AnnotationFormat("datumaro", "Datumaro"),
    AnnotationFormat("masks", "Masks as PNG"),
    AnnotationFormat("semantic-masks", "Masks of classes, grey"),
    AnnotationFormat("indexed-masks", "Masks of classes, coloured"),
    AnnotationFormat("files", "Files as answered"),
    AnnotationFormat("webvtt", "WebVTT subtitles"),
    AnnotationFormat("srt", "SubRip subtitles"),
    AnnotationFormat("ctm", "CTM", ".ctm"),
    AnnotationFormat("conll", "CoNLL-2003", ".conll"),
    AnnotationFormat("spacy", "spaCy lines", ".jsonl"),
)

#: The same by name.
BY_NAME = {found.name: found for found in FORMATS}


def formats_of(task: Task) -> list[AnnotationFormat]:
    """The formats that can hold a task's answers, the native one first."""
    return [found for found in FORMATS if fits(found.name, task)]
