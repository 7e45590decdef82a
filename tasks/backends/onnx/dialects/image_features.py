"""Dialect image-features: pixel_values (B, 3, H, W) -> image_embeds or pooler_output (B, D), and
last_hidden_state (B, T, D) or (B, D, h, w); any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ...image.fitting import Fitted
from ..adapter import has_rank
from ..checks import finite
from ..features import IMAGE_FEATURES, features_of, gives_features
from ..graph import Shapes
from ..images import ImageAdapter
from ..model import OnnxModel

_STATES = "last_hidden_state"

#: Images may be looked at in squares of this many numbers of axes.
_MAPS = 4


class ImageFeatures(ImageAdapter):
    """The vector of an image: ViT's, DINOv2's, CLIP's projected one, SigLIP's pooled one."""

    dialect: ClassVar[str] = "image-features"
    tasks: ClassVar[tuple[str, ...]] = ("image-feature-extraction",)

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        self._pooled = features_of(self.graph.outputs, IMAGE_FEATURES)
        vision = model.config.get("vision_config") or model.config
        patch = vision.get("patch_size")
        self._patch = patch if isinstance(patch, int) else None

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """Classifiers give logits."""
        states = outputs.get(_STATES)
        has_states = states is not None and any(has_rank(states, n) for n in (3, _MAPS))
        return {*inputs} == {"pixel_values"} and (
            gives_features(outputs, IMAGE_FEATURES) or has_states
        )

    def answer(
        self,
        inputs: Sequence[TaskInput],
        rows: Sequence[Fitted],  # noqa: ARG002 # vectors have no size in pixels
        values: NDArray[np.float32],
    ) -> list[TaskOutput | RowError]:
        """One run for all."""
        out = self.graph.run_rows({self.image_input: values})
        pooled = None if self._pooled is None else finite(out[self._pooled], self._pooled)
        first = None
        if _STATES in out and any(not _pool(row) for row in inputs):
            first = self._first(finite(out[_STATES], _STATES), values.shape[2:])
        return [
            self._answer(
                _pool(row), *(None if part is None else part[i] for part in (pooled, first))
            )
            for i, row in enumerate(inputs)
        ]

    def _answer(
        self, pool: bool, pooled: NDArray[np.float32] | None, first: NDArray[np.float32] | None
    ) -> TaskOutput | RowError:
        vector = pooled if pool else first
        if vector is not None:
            return self._output(vector)
        if pooled is None:
            return RowError("pool: the graph has no pooled output")
        if _STATES in self.graph.outputs:
            return RowError(
                "pool: config.json does not say patch_size, which tells the first token"
            )
        return self._output(pooled).warned("pool: the graph gives its pooled output alone")

    def _output(self, vector: NDArray[np.float32]) -> TaskOutput:
        return self.task.output.model_validate({"embeddings": [vector.tolist()]})

    def _first(
        self, states: NDArray[np.float32], size: Sequence[int]
    ) -> NDArray[np.float32] | None:
        """The first token's vectors, where there are more tokens than patches; else the mean."""
        if states.ndim == _MAPS:
            mean: NDArray[np.float32] = states.mean(axis=(2, 3))
            return mean
        if self._patch is None:
            return None
        patches = (size[0] // self._patch) * (size[1] // self._patch)
        return states[:, 0] if states.shape[1] > patches else states.mean(axis=1)


def _pool(row: Any) -> bool:  # its own Input
    return bool(row.pool)
