"""Dialect pixel-logits: pixel_values (B, 3, H, W) -> logits (B, labels), or probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....base import Task, TaskInput, TaskOutput
from ...base import ModelRefused
from ...classify import classification, probabilities
from ...image.fitting import Fitted
from ..adapter import has_rank
from ..graph import Shapes
from ..images import ImageAdapter
from ..model import OnnxModel

#: What makes scores of a graph's numbers -> the problem_type that means it.
_FUNCTIONS = {
    "softmax": "single_label_classification",
    "sigmoid": "multi_label_classification",
    "none": "regression",
}

#: Images of one colour that a graph is tried with.
_GREYS = ("black", "white")

#: How far from 1 probabilities may sum up to.
_ROUNDING = 1e-3


class PixelLogits(ImageAdapter):
    """The labels of a graph's logits.

    `function_to_apply` makes scores of them: softmax, sigmoid or none; empty is the model's own:
    its problem_type, none where the graph gives probabilities already, else softmax.
    """

    dialect: ClassVar[str] = "pixel-logits"
    tasks: ClassVar[tuple[str, ...]] = ("image-classification",)
    reads: ClassVar[tuple[str, ...]] = ("logits",)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """Detectors give boxes besides, segmentation logits of four axes."""
        return (
            set(inputs) == {"pixel_values"}
            and "logits" in outputs
            and "pred_boxes" not in outputs
            and has_rank(outputs["logits"], 2)
        )

    def __init__(self, task: Task, model: OnnxModel, *, function_to_apply: str = "") -> None:
        super().__init__(task, model)
        if function_to_apply not in ("", *_FUNCTIONS):
            raise ModelRefused(
                f"function_to_apply {function_to_apply!r}: use softmax, sigmoid or none"
            )
        told = model.config.get("problem_type")
        if not function_to_apply and told is None and self._gives_probabilities():
            function_to_apply = "none"
        self._problem_type = _FUNCTIONS[function_to_apply] if function_to_apply else told

    def _gives_probabilities(self) -> bool:
        """Whether what it answers to each of some images is over 0 and sums to 1."""
        size = self.pixels.fit(Image.new("RGB", (64, 64))).size
        noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        for image in (Image.fromarray(noise), *(Image.new("RGB", size, grey) for grey in _GREYS)):
            values = self.pixels.normalise([image])
            out = self.graph.run_rows({self.image_input: values})["logits"]
            if out.shape[-1] < 2 or out.min() < 0 or abs(out.sum(-1) - 1).max() > _ROUNDING:
                return False
        return True

    def answer(
        self,
        inputs: Sequence[TaskInput],
        rows: Sequence[Fitted],  # noqa: ARG002 # sizes matter to detection only
        values: NDArray[np.float32],
    ) -> list[TaskOutput]:
        """Softmax, or what the model's problem_type asks for."""
        logits = self.graph.read("logits", {"pixel_values": values})  # (B, labels)
        scores = probabilities(logits, self._problem_type)
        labels = self.model.labels(scores.shape[-1])
        return [
            classification(self.task, row, s, labels) for row, s in zip(inputs, scores, strict=True)
        ]
