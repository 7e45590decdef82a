"""Dialect sentence-embedding: input_ids and, if the graph wants them, attention_mask and
token_type_ids (B, T) -> sentence_embedding (B, D).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from ....base import Task
from ...text.sentences import Sentences
from ...text_encoders.embedding import Embedding
from ...text_encoders.reader import Reading
from ...text_encoders.sentence_similarity import SentenceSimilarity
from ..adapter import has_rank
from ..graph import Shapes
from ..model import OnnxModel
from ..reader import TextReader, read_sentences, reads
from ..reading import ReadingAdapter


class SentenceEmbedding(ReadingAdapter):
    """A graph that pools by itself, and does all that modules.json has behind.

    `prompt` and `prompt_name` are those of the backend transformers.
    """

    dialect: ClassVar[str] = "sentence-embedding"
    readings: ClassVar[Mapping[str, type[Reading]]] = {
        "embedding": Embedding,
        "sentence-similarity": SentenceSimilarity,
    }
    tasks: ClassVar[tuple[str, ...]] = tuple(readings)
    reads: ClassVar[tuple[str, ...]] = ("sentence_embedding",)
    output: ClassVar[str] = "sentence_embedding"

    def __init__(
        self, task: Task, model: OnnxModel, *, prompt_name: str = "", prompt: str | None = None
    ) -> None:
        self._read = partial(read_sentences, prompt_name=prompt_name, prompt=prompt)
        super().__init__(task, model)

    def make_reader(self) -> TextReader:
        """With the model's prompts and lengths. Raises ValueError for an unknown prompt."""
        return TextReader(self.model, self.output, sentences=self.sentences())

    def sentences(self) -> Sentences:
        """What the model's files say of texts, and not of vectors: those the graph has finished."""
        return replace(self._read(self.model), steps=())

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, and a vector a text."""
        return reads(inputs) and cls.output in outputs and has_rank(outputs[cls.output], 2)
