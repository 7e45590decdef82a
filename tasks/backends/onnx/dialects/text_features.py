"""Dialect text-features: input_ids and, if the graph wants it, attention_mask (B, T) -> text_embeds
(B, D), or SigLIP's pooler_output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..features import SIGLIP_TOKENS, TEXT_FEATURES, features_of, fills_up, gives_features
from ..graph import Shapes
from ..reader import TextReader, reads
from .sentence_embedding import SentenceEmbedding


class TextFeatures(SentenceEmbedding):
    """The half of CLIP and its kin that reads: a text's vector in the space of images.

    `prompt` and `prompt_name` are those of the backend transformers.
    """

    dialect: ClassVar[str] = "text-features"
    reads: ClassVar[tuple[str, ...]] = TEXT_FEATURES[:1]

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:
        """By its names; what BERT pools by that name of SigLIP's is no vector to compare."""
        names = TEXT_FEATURES if "siglip" in str(config.get("model_type")) else TEXT_FEATURES[:1]
        return reads(inputs) and gives_features(outputs, names)

    def make_reader(self) -> TextReader:
        """With texts filled up where that is how they were trained."""
        output = features_of(self.graph.outputs, TEXT_FEATURES) or self.output
        length = SIGLIP_TOKENS if fills_up(self.model.config, output) else None
        return TextReader(self.model, output, sentences=self.sentences(), length=length)
