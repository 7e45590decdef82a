"""CVAT's auto-annotation over a fleet: functions that its SDK, its command and its agents run.

    cvat-cli task auto-annotate 7 --function-module wherry.client.cvat -p model=str:detr

`create` gives a detection function, `create_interaction` one that answers clicks and boxes with
masks. See https://docs.cvat.ai/docs/api_sdk/sdk/auto-annotation/ and docs/cvat.md.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from PIL import Image

from ..protocol.errors import InvalidRequest
from ..tasks.base import Task, TaskOutput
from ..tasks.registry import get_task
from ..tasks.values.masks import read_mask
from ..tasks.values.polygons import polygon
from .client import Client

try:
    import cvat_sdk.auto_annotation as cvataa
    from cvat_sdk.masks import encode_mask
except ImportError:  # said by name once it is needed
    cvataa = None

#: What CVAT calls the shapes of each task's answers.
_TYPES: Mapping[str, str] = {
    "image-classification": "tag",
    "zero-shot-image-classification": "tag",
    "image-segmentation": "mask",
    "keypoint-detection": "skeleton",
    "object-detection": "rectangle",
    "zero-shot-object-detection": "rectangle",
}

#: The label of a skeleton: a model of keypoints names its points alone.
_SKELETON = "object"

#: An annotation of CVAT's models, a tag or a shape; the SDK's own types are made from its API.
Annotation = Any


class WherryDetection:
    """A detection function: each picture is a job of the fleet's."""

    def __init__(
        self,
        model: str,
        *,
        url: str = "",
        labels: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,  # any JSON
    ) -> None:
        """`labels` are the model's, if the fleet tells none; a zero-shot model looks for them.

        Raises InvalidRequest for a model whose answers CVAT has no shapes for, or without labels.
        """
        _require_sdk()
        self._client, self._model = Client(url or None), model
        about = self._client.get(f"/v2/models/{model}")
        self._task, known = _task_of(about)
        if self._task.name not in _TYPES:
            raise InvalidRequest(
                f"CVAT has no shapes for what {self._task.name} answers; there are "
                f"{', '.join(sorted(_TYPES))}"
            )
        names = list(labels or known)
        if not names:
            raise InvalidRequest(f"labels: give those of model {model!r}, which tells none")
        self._ids = {name: number for number, name in enumerate(names)}
        self._parameters = dict(parameters or {})
        if "candidate_labels" in self._task.input.model_fields:
            self._parameters.setdefault("candidate_labels", names)
        self._spec = cvataa.DetectionFunctionSpec(labels=_label_specs(self._task, names))

    @property
    def spec(self) -> Any:  # cvataa.DetectionFunctionSpec: the SDK is not typed
        """The labels that annotations have."""
        return self._spec

    def detect(self, context: Any, image: Image.Image) -> list[Annotation]:
        """The annotations of one picture. Raises WherryError."""
        fields = {"images": [_png(image)], **self._parameters}
        threshold = context.conf_threshold
        if threshold is not None and "threshold" in self._task.input.model_fields:
            fields["threshold"] = threshold
        answer = self._client.infer(self._model, self._task.input.validated(fields))
        assert isinstance(answer, TaskOutput)
        return list(self._annotations(answer, context))

    def _annotations(self, answer: TaskOutput, context: Any) -> Iterator[Annotation]:
        least = context.conf_threshold or 0.0
        [items] = getattr(answer, answer.ROWS[0])
        found = [item for item in items if item.score >= least]
        if self._task.name == "keypoint-detection":
            for _, points in groupby(items, key=lambda item: item.object):
                yield from self._skeleton(list(points), least)
            return
        if _TYPES[self._task.name] == "tag":  # the surest: the rest are its rivals
            found = found[:1]
        for item in found:
            number = self._ids.get(item.label)
            if number is not None:
                yield from _annotation(item, number, as_polygons=context.conv_mask_to_poly)

    def _skeleton(self, points: Sequence[Any], least: float) -> Iterator[Annotation]:
        """All points of one object, as CVAT wants them: those not found are outside."""
        found = {point.label: point for point in points if point.score >= least}
        if not found:
            return
        elements = []
        for name, number in self._ids.items():
            point = found.get(name)
            place = [point.x, point.y] if point else [0.0, 0.0]
            elements.append(cvataa.keypoint(number, place, outside=point is None))
        yield cvataa.skeleton(0, elements)


class WherryInteraction:
    """An interaction function: clicks and a box on a picture are answered with a mask."""

    def __init__(self, model: str, *, url: str = "") -> None:
        """Raises InvalidRequest for a model that takes no prompts."""
        _require_sdk()
        self._client, self._model = Client(url or None), model
        self._task, _ = _task_of(self._client.get(f"/v2/models/{model}"))
        if self._task.name != "mask-generation":
            raise InvalidRequest(f"{self._task.name} answers no prompts: mask-generation does")
        # A point, a box, or both; points beside the object as one likes.
        self._spec = cvataa.InteractionFunctionSpec(
            min_pos_points=0, min_neg_points=0, min_bounding_boxes=0
        )

    @property
    def spec(self) -> Any:  # cvataa.InteractionFunctionSpec
        """The prompts that it takes."""
        return self._spec

    def preprocess_image(self, context: Any, image: Image.Image) -> bytes:  # noqa: ARG002 # CVAT's
        """The picture as a file; the worker keeps what its model saw of it."""
        return _png(image)

    def detect(self, context: Any, pp_image: bytes, prompts: Any) -> list[Any]:  # noqa: ARG002 # CVAT's
        """The mask of what is prompted for. Raises WherryError."""
        fields: dict[str, Any] = {"images": [pp_image], "multimask_output": False}
        points = [list(point) for point in (*prompts.pos_points, *prompts.neg_points)]
        if points:
            signs = [1] * len(prompts.pos_points) + [0] * len(prompts.neg_points)
            fields |= {"points": [[points]], "labels": [[signs]]}
        if prompts.bounding_box is not None:
            fields["boxes"] = [[[*prompts.bounding_box[0], *prompts.bounding_box[1]]]]
        if not points and prompts.bounding_box is None:
            raise InvalidRequest("prompts: expected points or a box")
        answer = self._client.infer(self._model, self._task.input.validated(fields))
        [masks] = answer.masks  # type: ignore[union-attr] # MaskGenerationOutput's
        confidence = cvataa.InteractionResultAttributes.CONFIDENCE
        return [
            cvataa.InteractionResultShape(
                type="mask",
                points=encode_mask(read_mask(found.mask)),
                attributes=[_attribute(int(confidence), min(1.0, max(0.0, found.score)))],
            )
            for found in masks
        ]


def create(
    model: str, url: str = "", labels: str = "", threshold: float | None = None
) -> WherryDetection:
    """What `cvat-cli ... --function-module wherry.client.cvat` calls; `labels` between commas."""
    names = [name.strip() for name in labels.split(",") if name.strip()]
    parameters = {} if threshold is None else {"threshold": threshold}
    return WherryDetection(model, url=url, labels=names, parameters=parameters)


def create_interaction(model: str, url: str = "") -> WherryInteraction:
    """The same for clicks and boxes."""
    return WherryInteraction(model, url=url)


def _require_sdk() -> None:
    if cvataa is None:
        raise ImportError("CVAT's functions need its SDK: pip install cvat-sdk")


def _task_of(about: Mapping[str, Any]) -> tuple[Task, list[str]]:
    """A model's task and labels, as the fleet tells them."""
    told = about.get("parameters") or {}
    labels = told.get("labels")
    return get_task(told["task"]), list(labels) if isinstance(labels, list) else []


def _label_specs(task: Task, names: Sequence[str]) -> list[Any]:
    kind = _TYPES[task.name]
    if kind == "skeleton":
        points = [cvataa.keypoint_spec(name, number) for number, name in enumerate(names)]
        return [cvataa.skeleton_label_spec(_SKELETON, 0, points)]
    # Masks may be wanted as polygons: CVAT turns the type itself then.
    return [cvataa.label_spec(name, number, type=kind) for number, name in enumerate(names)]


def _annotation(item: Any, label: int, *, as_polygons: bool) -> Iterator[Annotation]:
    """What CVAT calls one thing that was found: its tag, its rectangle, or its mask."""
    if hasattr(item, "box"):
        box = item.box
        yield cvataa.rectangle(label, [box.xmin, box.ymin, box.xmax, box.ymax])
    elif not hasattr(item, "mask"):
        yield cvataa.tag(label)
    elif not as_polygons:
        mask = read_mask(item.mask)
        if mask.any():
            yield cvataa.mask(label, encode_mask(mask))
    elif corners := polygon(read_mask(item.mask)):
        yield cvataa.polygon(label, [float(number) for corner in corners for number in corner])


def _attribute(number: int, value: float) -> Any:
    from cvat_sdk.models import AttributeValRequest  # a module of some hundred classes

    return AttributeValRequest(spec_id=number, value=str(value))


def _png(image: Image.Image) -> bytes:
    """A picture as CVAT has opened it, which it turns as it says; nothing is lost."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
