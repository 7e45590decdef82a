"""Dialect foreground-mask: one image (B, 3, H, W) -> one output or several, (B, 1, h, w) each: how
sure the graph is of the foreground at each pixel, or its logit. The first is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....vision.image_segmentation import ImageSegmentationInput, ImageSegmentationOutput, Segment
from ...base import ModelRefused
from ...classify import sigmoid
from ...image.fitting import Fitted
from ...image.interpolate import interpolated
from ...image.png import mask_png
from ..checks import chances
from ..graph import Shapes
from ..images import ImageAdapter
from ..model import OnnxModel

#: What is not the background, where no label is given.
_LABEL = "foreground"


class ForegroundMask(ImageAdapter):
    """U2-Net, IS-Net, RMBG, BiRefNet and others that cut out what an image is about.

    `function_to_apply` is sigmoid where the graph gives logits, none where it gives probabilities;
    empty finds it out.
    """

    dialect: ClassVar[str] = "foreground-mask"
    tasks: ClassVar[tuple[str, ...]] = ("image-segmentation",)

    def __init__(self, task: Task, model: OnnxModel, *, function_to_apply: str = "") -> None:
        self.image_input = next(iter(model.graph.inputs))
        if function_to_apply not in ("", "sigmoid", "none"):
            raise ModelRefused(f"function_to_apply {function_to_apply!r}: use sigmoid or none")
        super().__init__(task, model)
        self._output = next(iter(self.graph.outputs))
        self._logits = function_to_apply == "sigmoid" or (
            not function_to_apply and self._leaves_probabilities()
        )

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # axes tell
        """One image in, maps of one channel out."""
        (image, *more) = inputs.values()
        return not more and len(image) == 4 and all(_is_map(axes) for axes in outputs.values())

    def _leaves_probabilities(self) -> bool:
        """Whether it gives numbers beyond 0 and 1 for an image of noise."""
        size = self.pixels.fit(Image.new("RGB", (64, 64))).size
        noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        values = self.pixels.normalise([Image.fromarray(noise)])
        out = self.graph.run_rows({self.image_input: values})[self._output]
        return bool(out.min() < 0 or out.max() > 1)

    def answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: NDArray[np.float32]
    ) -> list[TaskOutput | RowError]:
        """One run; each map is brought to its image's size before pixels are chosen."""
        maps = self.graph.read(self._output, {self.image_input: values})[:, 0]
        sure = sigmoid(maps) if self._logits else chances(maps)
        return [
            self._answer(row, interpolated(one, image.size, "bilinear"))
            for row, one, image in zip(inputs, sure, rows, strict=True)
        ]

    def _answer(self, row: TaskInput, sure: NDArray[np.float32]) -> TaskOutput | RowError:
        assert isinstance(row, ImageSegmentationInput)
        if row.subtask not in (None, "semantic"):
            return RowError(f"the model has no {row.subtask} segmentation; it has semantic")
        mask = sure > row.mask_threshold
        label = self.model.labels().get(0, _LABEL)
        found = [Segment(label=label, score=1.0, mask=mask_png(mask))] if mask.any() else []
        return ImageSegmentationOutput(segments=[found])


def _is_map(axes: Sequence[object]) -> bool:
    return len(axes) == 4 and (axes[1] == 1 or not isinstance(axes[1], int))
