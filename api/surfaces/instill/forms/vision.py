"""Forms of the tasks that look at an image and answer labels, boxes, points or lines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from .....protocol.errors import BackendError
from .....tasks.boxes import BoundingBox, BoxesOutput
from .....tasks.labels import LabelsOutput
from .....tasks.vision.keypoint_detection import Keypoint, KeypointDetectionOutput
from .....tasks.vision.optical_character_recognition import OpticalCharacterRecognitionOutput
from .form import EntryRequest, Form, Json, Style, TriggerEntry, box


def read_image(entry: TriggerEntry) -> EntryRequest:
    """One image a row; the task's own parameters may be given."""
    image = entry.image(entry.data, "data")
    return EntryRequest([entry.row(images=[image], **entry.parameters())])


def _read_classified(entry: TriggerEntry) -> EntryRequest:
    image = entry.image(entry.data, "data")
    return EntryRequest([entry.row(images=[image], **{**entry.parameters(), "top_k": 1})])


def _category(answers: Sequence[LabelsOutput], _: Style) -> Json:
    (labels,) = answers[0].results
    if not labels:
        raise BackendError("the model named no category")
    return {"category": labels[0].label, "score": labels[0].score}


def _objects(answers: Sequence[BoxesOutput], style: Style) -> Json:
    (found,) = answers[0].detections
    return {
        "objects": [
            {"category": item.label, "score": item.score, **_corners(style, item.box)}
            for item in found
        ]
    }


def _lines(answers: Sequence[OpticalCharacterRecognitionOutput], style: Style) -> Json:
    (lines,) = answers[0].lines
    several = any(line.page > 1 for line in lines)
    return {
        "objects": [
            {
                "text": line.text,
                "score": line.score,
                **_corners(style, line.box),
                **({"page": line.page} if several else {}),
            }
            for line in lines
        ]
    }


def _poses(answers: Sequence[KeypointDetectionOutput], style: Style) -> Json:
    (points,) = answers[0].keypoints
    poses = groupby(sorted(points, key=lambda p: p.object), key=lambda p: p.object)
    return {"objects": [_pose(list(pose), style) for _, pose in poses]}


def _pose(points: list[Keypoint], style: Style) -> Json:
    """An object's points; its box is as large as they reach, its score their mean."""
    xs, ys = [p.x for p in points], [p.y for p in points]
    left, top = min(xs), min(ys)
    return {
        "keypoints": [{"x": p.x, "y": p.y, "v": p.score} for p in points],
        "score": sum(p.score for p in points) / len(points),
        **box(style, left, top, max(xs) - left, max(ys) - top),
    }


def _corners(style: Style, given: BoundingBox) -> Json:
    width, height = given.xmax - given.xmin, given.ymax - given.ymin
    return box(style, given.xmin, given.ymin, width, height)


CLASSIFICATION = Form(_read_classified, _category)
DETECTION = Form(read_image, _objects)
KEYPOINT = Form(read_image, _poses)
OCR = Form(read_image, _lines)
