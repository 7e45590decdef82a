from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..pool import embeddings, mean_pooled
from .base import TransformersBackend


class Embedding(TransformersBackend):
    """Mean pooling over an AutoModel's last hidden state, padding left out."""

    auto_class = "AutoModel"
    tokenizer: Any

    def load_processor(self) -> None:
        """Load the tokenizer. Longer texts are cut to what the model's positions allow."""
        from transformers import AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(
            self.source, revision=self._revision, trust_remote_code=False
        )
        positions = getattr(self.model.config, "max_position_embeddings", 512)
        self.tokenizer.model_max_length = min(self.tokenizer.model_max_length, positions)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for all rows, padded to the longest."""
        texts = [row.texts[0] for row in batch]  # type: ignore[attr-defined] # its own Input
        encoded = self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with self.forward():
            out = self.model(**self.to_device(encoded)).last_hidden_state  # (B, T, D)
            hidden = out.float().cpu().numpy()
        return list(embeddings(batch, mean_pooled(hidden, encoded["attention_mask"].numpy())))
