"""Which formats can hold what a task answers, told from the task's tensors and its items' fields.

Tasks of other packages fit by the same rules.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..base import Task, TaskOutput
from .fields import element, entries, files_in, masks_in, model_in


def item_fields(task: Task) -> frozenset[str]:
    """The fields of a row's items; none where a row has no items, or not only items."""
    held = entries(task)
    item = held[0].item if len(held) == 1 else None
    return frozenset(item.model_fields if item else ())


def items_of(output: TaskOutput) -> list[Any]:
    """One row's items."""
    items: list[Any] = getattr(output, output.ROWS[0])[0]
    return items


def label_of(item: Any) -> str:
    """What an item is; masks may come without a name for it."""
    label: str = getattr(item, "label", "object")
    return label


def point_of(item: Any) -> str:
    """What a keypoint is; points of interest have no name."""
    name: str = item.label or "point"
    return name


def medium(task: Task) -> str:
    """What a row shows people: `image`, `audio`, or "" for text and the rest."""
    contents = {spec.content for spec in task.inputs if len(spec.shape) == 1}
    return next((content for content in ("image", "audio") if content in contents), "")


def has_boxes(task: Task) -> bool:
    """Whether it answers labelled boxes."""
    return medium(task) == "image" and {"label", "box"} <= item_fields(task)


def has_lines(task: Task) -> bool:
    """Whether it answers texts in boxes."""
    return medium(task) == "image" and {"text", "box"} <= item_fields(task)


def has_masks(task: Task) -> bool:
    """Whether it answers masks of an image's objects."""
    return medium(task) == "image" and "mask" in item_fields(task)


def has_segments(task: Task) -> bool:
    """Whether it answers labelled masks."""
    return has_masks(task) and "label" in item_fields(task)


def has_keypoints(task: Task) -> bool:
    """Whether it answers keypoints."""
    return medium(task) == "image" and {"label", "x", "y", "object"} <= item_fields(task)


def has_labels(task: Task) -> bool:
    """Whether it answers labels of a whole image or sound."""
    return medium(task) != "" and item_fields(task) == {"label", "score"}


@functools.cache
def lists_guesses(output: type[TaskOutput]) -> bool:
    """Whether a row's answer is what it may be: only labels with scores, the surest first."""
    annotations = (output.model_fields[field].annotation for field in output.contents())
    items = (model_in(element(element(kind))) for kind in annotations)
    return any(item and item.model_fields.keys() == {"label", "score"} for item in items)


def has_answers(task: Task) -> bool:
    """Whether it answers short texts about an image, with scores."""
    return medium(task) == "image" and {"answer", "score"} <= item_fields(task)


def has_text(task: Task) -> bool:
    """Whether it answers one text about an image or a sound."""
    return medium(task) != "" and any(e.name == "text" for e in entries(task))


def is_tracked(task: Task) -> bool:
    """Whether it answers masks of objects by frames of a film."""
    return {"objects_ids", "frame_indexes", "masks"} <= set(task.output.model_fields)


def timed_field(task: Task) -> str:
    """The field of parts of what a sound says that tell their times; "" without one."""
    for entry in entries(task) if medium(task) == "audio" else ():
        if entry.item and {"text", "start", "end"} <= entry.item.model_fields.keys():
            return entry.field
    return ""


def has_times(task: Task) -> bool:
    """Whether it can tell when something is said."""
    return timed_field(task) != ""


def text_field(task: Task) -> str:
    """The field of the Input that holds a row's text; "" without one."""
    texts = (s for s in task.inputs if s.content == "text" and len(s.shape) == 1)
    return next((s.field for s in texts if s.field in task.input.ROWS and not s.optional), "")


def kind_of(span: Any) -> str:
    """What a part of a text is."""
    kind: str = getattr(span, "entity", "") or getattr(span, "label", "")
    return kind


def has_spans(task: Task) -> bool:
    """Whether it marks parts of a text."""
    fields = item_fields(task)
    return bool(text_field(task) and {"start", "end"} <= fields and {"entity", "label"} & fields)


def _is_captioned(task: Task) -> bool:
    return medium(task) == "image" and has_text(task)


def _is_labelled_image(task: Task) -> bool:
    return medium(task) == "image" and has_labels(task)


def _is_shaped(task: Task) -> bool:
    """Whether it answers what drawing tools have: shapes in an image, or labels of it."""
    return _is_labelled_image(task) or any(
        rule(task) for rule in (has_boxes, has_masks, has_keypoints)
    )


def _is_drawn(task: Task) -> bool:
    """Whether Label Studio can show it."""
    rules = (has_boxes, has_lines, has_masks, has_keypoints, has_labels, has_answers, has_text)
    return any(rule(task) for rule in rules)


#: Format -> the tasks it fits; formats that are not here fit all.
_RULES: dict[str, Callable[[Task], bool]] = {
    "coco-captions": _is_captioned,
    "coco-detection": has_boxes,
    "coco-instance": has_masks,
    "coco-keypoints": has_keypoints,
    "coco-panoptic": has_segments,
    "conll": has_spans,
    "csv": lambda task: not files_in(task),
    "cvat": _is_shaped,
    "ctm": has_times,
    "cvat-video": lambda task: has_boxes(task) or has_masks(task) or is_tracked(task),
    "datumaro": lambda task: _is_shaped(task) or _is_captioned(task),
    "files": files_in,
    "indexed-masks": has_segments,
    "label-studio": _is_drawn,
    "label-studio-video": lambda task: (
        _is_labelled_image(task) or has_boxes(task) or is_tracked(task)
    ),
    "labelme": _is_shaped,
    "masks": masks_in,
    "mot": lambda task: has_boxes(task) or is_tracked(task),
    "open-images": lambda task: has_boxes(task) or _is_labelled_image(task),
    "semantic-masks": has_segments,
    "spacy": has_spans,
    "srt": has_times,
    "voc": has_boxes,
    "webvtt": has_times,
    "yolo": lambda task: has_boxes(task) or has_masks(task),
    "yolo-classify": _is_labelled_image,
    "yolo-obb": has_masks,
    "yolo-pose": has_keypoints,
    "yolo-seg": has_masks,
}


@functools.cache
def fits(name: str, task: Task) -> bool:
    """Whether a format can hold a task's answers."""
    rule = _RULES.get(name)
    return rule is None or rule(task)
