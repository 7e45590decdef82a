"""Text embedding: input_ids, attention_mask (B, T) -> sentence_embedding (B, D), or
last_hidden_state (B, T, D) to pool.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..pool import embeddings, mean_pooled
from .base import OnnxBackend

_POOLED, _HIDDEN = "sentence_embedding", "last_hidden_state"
_NEEDED, _OPTIONAL = {"input_ids", "attention_mask"}, {"token_type_ids"}


class Embedding(OnnxBackend):
    """A graph's own sentence embedding, or the mean over its last hidden state."""

    def load_processor(self) -> None:
        """Read tokenizer.json; longer texts are cut to what the model's positions allow."""
        self._output = _POOLED if _POOLED in self.graph.outputs else _HIDDEN
        taken, given = set(self.graph.inputs), set(self.graph.outputs)
        if not (taken >= _NEEDED and taken <= _NEEDED | _OPTIONAL and self._output in given):
            raise ValueError(
                f"{self.folder}: a graph with inputs {list(self.graph.inputs)} and outputs "
                f"{list(self.graph.outputs)} does not fit {self.task.name}: expected inputs "
                f"{sorted(_NEEDED)} and outputs {[self._output]}"
            )
        self.tokenizer = self.model.tokenizer()
        self.tokenizer.enable_truncation(self.model.max_tokens())
        self.tokenizer.enable_padding(pad_id=int(self.model.config.get("pad_token_id") or 0))

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One run for all rows, padded to the longest."""
        encoded = self.tokenizer.encode_batch([row.texts[0] for row in batch])  # type: ignore[attr-defined] # its own Input
        mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
        arrays = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([e.type_ids for e in encoded], dtype=np.int64),
        }
        out = self.graph.run_rows(arrays)[self._output]
        return list(embeddings(batch, out if out.ndim == 2 else mean_pooled(out, mask)))
