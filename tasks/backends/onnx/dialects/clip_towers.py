"""Dialect clip-towers: vision_model.onnx, pixel_values (B, 3, H, W) -> image_embeds (B, D), and
text_model.onnx, input_ids (L, T) -> text_embeds (L, D).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....base import Task
from ...base import ModelRefused
from ..adapter import has_rank
from ..graph import Graph, Shapes, needs
from ..model import OnnxModel
from ..texts import Texts
from .transformers_clip import TransformersClip

_Floats = NDArray[np.float32]


class ClipTowers(TransformersClip):
    """CLIP in two, as transformers.js has it.

    `logit_scale` is what likenesses are multiplied with; neither graph holds it.
    """

    dialect: ClassVar[str] = "clip-towers"
    reads: ClassVar[tuple[str, ...]] = ("image_embeds",)

    def __init__(self, task: Task, model: OnnxModel, *, logit_scale: float = 0.0) -> None:
        if logit_scale <= 0:
            raise ModelRefused(
                f"{model.folder}: CLIP in two graphs does not tell how its likenesses are scaled: "
                "give exp(logit_scale) of its weights as the model parameter `logit_scale`, which "
                "is 100.0 for OpenAI's own"
            )
        self._scale = np.float32(logit_scale)
        self._reader = model.open("text_model.onnx")
        needs(self._reader, {"input_ids"}, "text_embeds")
        super().__init__(task, model)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By the names of the half that looks."""
        return (
            set(inputs) == {"pixel_values"}
            and "image_embeds" in outputs
            and has_rank(outputs["image_embeds"], 2)
        )

    def read_texts(self) -> Texts:
        """For the half that reads."""
        return Texts(self.model, graph=self._reader)

    def logits(self, values: _Floats, texts: Mapping[str, NDArray[np.int64]]) -> _Floats:
        """(B, L): how alike each image and each text are."""
        images = _unit(self.graph, "image_embeds", {"pixel_values": values})
        alike = images @ _unit(self._reader, "text_embeds", texts).T
        return (alike * self._scale).astype(np.float32)


def _unit(graph: Graph, output: str, arrays: Mapping[str, NDArray[Any]]) -> _Floats:
    vectors = graph.read(output, arrays)
    lengths: Any = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: _Floats = vectors / lengths
    return unit
