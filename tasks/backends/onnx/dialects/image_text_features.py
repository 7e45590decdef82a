"""Dialect image-text-features: vision_model.onnx, pixel_values (B, 3, H, W) -> image_embeds or
pooler_output (B, D), and text_model.onnx, input_ids (B, T) -> text_embeds or pooler_output (B, D).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....multimodal.multimodal_embedding import MultimodalEmbeddingInput
from ...base import ModelRefused
from ...image.fitting import Fitted
from ...rows import alike
from ...text.cut import with_truncation
from ..features import (
    IMAGE_FEATURES,
    SIGLIP_TOKENS,
    TEXT_FEATURES,
    features_of,
    fills_up,
    gives_features,
)
from ..graph import Shapes
from ..images import ImageAdapter
from ..model import OnnxModel
from ..texts import Texts

_Floats = NDArray[np.float32]


class ImageTextFeatures(ImageAdapter):
    """Images and texts in one space by two graphs: CLIP's projected vectors, SigLIP's pooled."""

    dialect: ClassVar[str] = "image-text-features"
    tasks: ClassVar[tuple[str, ...]] = ("multimodal-embedding",)

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        self._reader = model.open("text_model.onnx")
        seen = features_of(self.graph.outputs, IMAGE_FEATURES)
        read = features_of(self._reader.outputs, TEXT_FEATURES)
        if seen is None or read is None or "input_ids" not in self._reader.inputs:
            raise ModelRefused(
                f"{self._reader.path}: {', '.join(self._reader.inputs)} -> "
                f"{', '.join(self._reader.outputs)}; expected is input_ids -> "
                f"{' or '.join(TEXT_FEATURES)}"
            )
        self._seen, self._read = seen, read
        fills = fills_up(model.config, read)
        most = SIGLIP_TOKENS if fills else None
        self._texts = Texts(model, to_length=fills, graph=self._reader, most=most)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By the half that looks."""
        return {*inputs} == {"pixel_values"} and gives_features(outputs, IMAGE_FEATURES)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """A run for the readable images, and one for the texts of each length."""
        rows = cast("Sequence[MultimodalEmbeddingInput]", batch)
        images = [i for i, row in enumerate(rows) if row.is_image()]
        texts = [i for i, row in enumerate(rows) if not row.is_image()]
        seen = super().run([rows[i] for i in images]) if images else []
        read = self._vectors([rows[i] for i in texts]) if texts else []
        found = dict(zip([*images, *texts], [*seen, *read], strict=True))
        return [found[i] for i in range(len(rows))]

    def answer(
        self,
        inputs: Sequence[TaskInput],
        rows: Sequence[Fitted],  # noqa: ARG002 # vectors have no size in pixels
        values: _Floats,
    ) -> list[TaskOutput | RowError]:
        """One run for images of a size."""
        vectors = self.graph.read(self._seen, {self.image_input: values})
        return [self._answer(row, vector) for row, vector in zip(inputs, vectors, strict=True)]

    def _vectors(self, rows: Sequence[MultimodalEmbeddingInput]) -> list[TaskOutput | RowError]:
        """A text given twice is read once; those of one length together, so that none is padded."""
        given = [(row.texts or [""])[0] for row in rows]
        places = {text: place for place, text in enumerate(dict.fromkeys(given))}
        arrays, lost = self._texts.arrays([*places]), self._texts.lost([*places])
        found: dict[int, _Floats] = {}
        for group in alike(arrays["attention_mask"].sum(axis=1).tolist()):
            real = slice(None) if self._texts.fixed else arrays["attention_mask"][group[0]] > 0
            part = {name: array[group][:, real] for name, array in arrays.items()}
            found.update(zip(group, self._reader.read(self._read, part), strict=True))
        return [
            with_truncation(row, self._answer(row, found[places[text]]), [lost[places[text]]])
            for row, text in zip(rows, given, strict=True)
        ]

    def _answer(self, row: Any, vector: _Floats) -> TaskOutput:  # its own Input
        if row.normalize:
            vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        return self.task.output.model_validate({"embeddings": [vector.tolist()]})
