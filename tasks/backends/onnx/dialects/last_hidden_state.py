"""Dialect last-hidden-state: input_ids and, if the graph wants them, attention_mask and
token_type_ids (B, T) -> last_hidden_state, or token_embeddings, (B, T, D).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from ....base import Task
from ...base import ModelRefused
from ...text_encoders.embedding import Embedding
from ...text_encoders.feature_extraction import FeatureExtraction
from ...text_encoders.reader import Reading
from ...text_encoders.sentence_similarity import SentenceSimilarity
from ..adapter import has_rank
from ..graph import Shapes
from ..model import OnnxModel
from ..reader import TextReader, read_sentences, reads
from ..reading import ReadingAdapter

_OUTPUTS = ("last_hidden_state", "token_embeddings")


class LastHiddenState(ReadingAdapter):
    """A vector a token, and one a text as modules.json of sentence-transformers makes it.

    `pooling`, `prompt` and `prompt_name` are those of the backend transformers.
    """

    dialect: ClassVar[str] = "last-hidden-state"
    readings: ClassVar[Mapping[str, type[Reading]]] = {
        "embedding": Embedding,
        "feature-extraction": FeatureExtraction,
        "sentence-similarity": SentenceSimilarity,
    }
    tasks: ClassVar[tuple[str, ...]] = tuple(readings)
    reads: ClassVar[tuple[str, ...]] = _OUTPUTS[:1]

    def __init__(
        self,
        task: Task,
        model: OnnxModel,
        *,
        pooling: str = "",
        prompt_name: str = "",
        prompt: str | None = None,
    ) -> None:
        self._read = partial(
            read_sentences, pooling_name=pooling, prompt_name=prompt_name, prompt=prompt
        )
        super().__init__(task, model)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, and a vector a token."""
        return reads(inputs) and any(
            name in outputs and has_rank(outputs[name], 3) for name in _OUTPUTS
        )

    def make_reader(self) -> TextReader:
        """With the model's way of pooling. Raises ValueError for an unknown one, ModelRefused for
        a module that is not served.
        """
        output = next(name for name in _OUTPUTS if name in self.graph.outputs)
        if self.task.name == "feature-extraction":
            return TextReader(self.model, output)
        sentences = self._read(self.model)
        if sentences.layers is not None:
            raise ModelRefused(
                f"{self.model.folder}: WeightedLayerPooling needs the states of all layers, which "
                "the graph does not give: serve it with the backend transformers"
            )
        return TextReader(self.model, output, sentences=sentences)
