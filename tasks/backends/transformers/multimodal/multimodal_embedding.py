from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....multimodal.multimodal_embedding import MultimodalEmbeddingInput, MultimodalEmbeddingOutput
from ...base import ModelRefused
from ...rows import check_entries
from ...sizes import Size
from ...text.cut import with_truncation
from ..tokenizer import load_tokenizer
from ..vision.base import Tensors, VisionBackend
from .side_texts import beside_images

#: Types whose features of images and of texts are not of one space: the language model's, or an
#: image's in many parts.
_APART = ("blip-2",)


class MultimodalEmbedding(VisionBackend):
    """CLIP, SigLIP and their kin: a tower for images and one for texts, which share a space."""

    auto_class = "AutoModel"

    def load_model(self) -> tuple[Any, list[str]]:
        """Load the weights. Raises ModelRefused for a kind of model without such a space."""
        config = self.read_config()
        if config.model_type in _APART or not _has_both_towers(config):
            raise ModelRefused(
                f"{self.source}: a {config.model_type} does not have images and texts in one "
                "space, as CLIP"
            )
        return super().load_model()

    def load_processor(self) -> None:
        """Load the image processor and the tokenizer."""
        super().load_processor()
        config = self.model.config
        tokenizer = load_tokenizer(str(self.source), revision=self._revision, config=config)
        self._texts = beside_images(tokenizer, config)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """A forward for the readable images, and one for the texts."""
        rows = cast("Sequence[MultimodalEmbeddingInput]", batch)
        images = [i for i, row in enumerate(rows) if row.is_image()]
        texts = [i for i, row in enumerate(rows) if not row.is_image()]
        seen = super().run([rows[i] for i in images]) if images else []
        read = self._read([rows[i] for i in texts]) if texts else []
        found = dict(zip([*images, *texts], [*seen, *read], strict=True))
        return [found[i] for i in range(len(rows))]

    def answer(
        self,
        inputs: Sequence[TaskInput],
        sizes: Sequence[Size],  # noqa: ARG002 # vectors have no size in pixels
        tensors: Tensors,
    ) -> list[TaskOutput | RowError]:
        """One forward. pixel_values: (B, 3, H, W) -> (B, D)."""
        with self.forward():
            vectors = _vectors(self.model.get_image_features(**self.to_device(tensors)))
        check_entries({"vectors": vectors}, len(inputs))
        return [_answer(row, vector) for row, vector in zip(inputs, vectors, strict=True)]

    def _read(self, rows: Sequence[MultimodalEmbeddingInput]) -> list[TaskOutput | RowError]:
        """One forward; a text given twice is read once. (U, T) -> (U, D)."""
        given = [(row.texts or [""])[0] for row in rows]
        places = {text: place for place, text in enumerate(dict.fromkeys(given))}
        encoded, lost = self._texts([*places])
        with self.forward():
            vectors = _vectors(self.model.get_text_features(**self.to_device(encoded)))
        return [
            with_truncation(row, _answer(row, vectors[places[text]]), [lost[text]])
            for row, text in zip(rows, given, strict=True)
        ]


def _has_both_towers(config: Any) -> bool:
    from transformers import MODEL_MAPPING

    found = MODEL_MAPPING.get(type(config), None)
    return all(hasattr(found, f"get_{of}_features") for of in ("image", "text"))


def _vectors(out: Any) -> NDArray[np.float32]:
    """A tower's features, (B, D). FLAVA has one a token, of which the first is meant."""
    pooled = out.pooler_output
    vectors: NDArray[np.float32] = (
        (pooled[:, 0] if pooled.ndim == 3 else pooled).float().cpu().numpy()
    )
    return vectors


def _answer(row: Any, vector: NDArray[np.float32]) -> MultimodalEmbeddingOutput:
    if row.normalize:
        vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return MultimodalEmbeddingOutput(embeddings=[vector.tolist()])
