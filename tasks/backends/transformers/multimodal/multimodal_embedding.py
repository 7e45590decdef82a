from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....multimodal.multimodal_embedding import MultimodalEmbeddingInput, MultimodalEmbeddingOutput
from ...base import ModelRefused
from ...company import TEXTS, Probe, apart, turned
from ...rows import alike, check_entries
from ...sizes import Size
from ...text.cut import with_truncation
from ..tokenizer import load_tokenizer
from ..vision.base import Tensors, VisionBackend
from .side_texts import beside_images, is_siglip

#: Types whose features of images and of texts are not of one space: the language model's, or an
#: image's in many parts.
_APART = ("blip-2",)


class MultimodalEmbedding(VisionBackend):
    """CLIP, SigLIP and their kin: a tower for images and one for texts, which share a space."""

    auto_class = "AutoModel"
    tokenizer: Any

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
        self.tokenizer = load_tokenizer(str(self.source), revision=self._revision, config=config)
        self._texts = beside_images(self.tokenizer, config)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """A forward for the readable images, and one for the texts, if the model pads them."""
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
        vectors: dict[int, NDArray[np.float32]] = {}
        for group, tensors in self._sharing(encoded):
            vectors.update(zip(group, self._text_vectors(tensors), strict=True))
        return [
            with_truncation(row, _answer(row, vectors[places[text]]), [lost[text]])
            for row, text in zip(rows, given, strict=True)
        ]

    def _sharing(self, encoded: Tensors) -> Iterator[tuple[list[int], Tensors]]:
        """Texts that share a forward, by their places, without the padding of others."""
        mask = encoded.get("attention_mask")
        if mask is None or self.company.batching == "padded":
            yield [*range(len(encoded["input_ids"]))], encoded
            return
        lengths = mask.sum(1).tolist()
        for group in alike(apart(self.company.batching, *row) for row in enumerate(lengths)):
            real = mask[group[0]].bool()
            yield group, {name: tensor[group][:, real] for name, tensor in encoded.items()}

    def _text_vectors(self, tensors: Tensors) -> NDArray[np.float32]:
        """One forward. (B, T) -> (B, D)."""
        with self.forward():
            return _vectors(self.model.get_text_features(**self.to_device(tensors)))

    def probe(self) -> Probe[Any] | None:
        """Texts of three lengths; None where all are filled up to one."""
        if is_siglip(self.model.config):
            return None
        made = self.tokenizer([*TEXTS], truncation=True)
        rows = [{name: made[name][i] for name in made} for i in range(len(TEXTS))]
        twin = {**rows[0], "input_ids": turned(rows[0]["input_ids"])}

        def answer(tokens: Sequence[Any]) -> list[list[NDArray[np.float32]]]:
            padded = self.tokenizer.pad([*tokens], return_tensors="pt")
            return [[vector] for vector in self._text_vectors(padded)]

        return Probe(rows, twin, answer, self.tolerance)


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
