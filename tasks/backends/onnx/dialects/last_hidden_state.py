"""Dialect last-hidden-state: input_ids and, if the graph wants them, attention_mask and
token_type_ids (B, T) -> last_hidden_state, or token_embeddings, (B, T, D).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ....base import Task
from ...pool import POOLING_FILE, pooling
from ...reading.embedding import Embedding
from ...reading.feature_extraction import FeatureExtraction
from ...reading.reader import Reading
from ...reading.sentence_similarity import SentenceSimilarity
from ..adapter import has_rank
from ..graph import Shapes
from ..model import OnnxModel
from ..reader import TextReader, reads
from ..reading import ReadingAdapter

_OUTPUTS = ("last_hidden_state", "token_embeddings")


class LastHiddenState(ReadingAdapter):
    """A vector a token; `pooling` makes one a text: mean, cls (the first) or lasttoken.

    Empty takes what sentence-transformers wrote beside the model, else the mean.
    """

    dialect: ClassVar[str] = "last-hidden-state"
    readings: ClassVar[Mapping[str, type[Reading]]] = {
        "embedding": Embedding,
        "feature-extraction": FeatureExtraction,
        "sentence-similarity": SentenceSimilarity,
    }
    tasks: ClassVar[tuple[str, ...]] = tuple(readings)

    def __init__(self, task: Task, model: OnnxModel, *, pooling: str = "") -> None:
        self._pooling = pooling
        super().__init__(task, model)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, and a vector a token."""
        return reads(inputs) and any(
            name in outputs and has_rank(outputs[name], 3) for name in _OUTPUTS
        )

    def make_reader(self) -> TextReader:
        """With the model's way of pooling. Raises ValueError for an unknown one."""
        output = next(name for name in _OUTPUTS if name in self.graph.outputs)
        how = pooling(self.model.read_json(POOLING_FILE), self._pooling)
        return TextReader(self.model, output, pooling=how)
