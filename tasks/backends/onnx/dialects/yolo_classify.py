"""Dialect yolo-classify: images (B, 3, H, W), values 0 to 1 -> one output (B, C), probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....base import TaskInput, TaskOutput
from ...classify import classification
from ...image.fitting import Fitted
from ...image.pixels import Pixels
from ...sizes import Exact, ShortestEdge, Size
from ..adapter import GraphInfo, has_rank
from ..checks import chances
from ..graph import Shapes
from ..images import ImageAdapter
from ..preprocess import graph_size, plain
from ..ultralytics import UltralyticsMetadata

#: Edge of the graph's image where nothing tells.
_EDGE = 224


@dataclass(frozen=True, slots=True)
class RoundedMiddle(Pixels):
    """Where the middle lies between two pixels, torchvision takes the even one, not the lower."""

    def cropped(self, image: Image.Image, crop: Size) -> Image.Image:
        """The middle of an image, as torchvision's CenterCrop places it."""
        left, top = round((image.width - crop[0]) / 2), round((image.height - crop[1]) / 2)
        return image.crop((left, top, left + crop[0], top + crop[1]))


class YoloClassify(ImageAdapter):
    """A classifier as Ultralytics exports it: the file says that it is one."""

    dialect: ClassVar[str] = "yolo-classify"
    tasks: ClassVar[tuple[str, ...]] = ("image-classification",)
    image_input = "images"

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """One output of a name of its own, and two axes."""
        return (
            set(inputs) == {"images"}
            and len(outputs) == 1
            and all(has_rank(axes, 2) for axes in outputs.values())
        )

    @classmethod
    def misfit(cls, told: GraphInfo, *, named: bool) -> str:
        """Others may mean logits, or want other pixels."""
        task = UltralyticsMetadata.read(told.metadata).task
        if task != "classify" and not (named and not task):
            return f"the file says {f'that its task is {task!r}' if task else 'no task'}"
        return super().misfit(told, named=named)

    def read_pixels(self) -> Pixels:
        """The middle of the image; all of it, stretched, where the graph wants no square."""
        written = UltralyticsMetadata.read(self.graph.metadata).size
        size = graph_size(self.model, self.image_input) or written or (_EDGE, _EDGE)
        if size[0] != size[1]:
            return plain(Exact(size))
        base = plain(ShortestEdge(size[0]))
        return RoundedMiddle(
            resize=base.resize,
            crop=size,
            resample=base.resample,
            scale=base.scale,
            shift=base.shift,
        )

    def answer(
        self,
        inputs: Sequence[TaskInput],
        rows: Sequence[Fitted],  # noqa: ARG002 # sizes matter to detection only
        values: NDArray[np.float32],
    ) -> list[TaskOutput]:
        """As the graph gives them."""
        (name,) = self.graph.outputs
        scores = chances(self.graph.read(name, {self.image_input: values}))
        written = UltralyticsMetadata.read(self.graph.metadata).names
        labels = self.model.labels(scores.shape[-1], named=written)
        return [
            classification(self.task, row, s, labels) for row, s in zip(inputs, scores, strict=True)
        ]
