"""Text embedding: input_ids, attention_mask (B, T) -> sentence_embedding (B, D), or
last_hidden_state (B, T, D) to pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..pool import embeddings, mean_pooled
from .base import OnnxBackend

_POOLED, _HIDDEN = "sentence_embedding", "last_hidden_state"


class Embedding(OnnxBackend):
    """A graph's own sentence embedding, or the mean over its last hidden state."""

    def load_processor(self) -> None:
        """Read tokenizer.json; longer texts are cut to what the model's positions allow."""
        self._output = _POOLED if _POOLED in self.output_names else _HIDDEN
        self.require(
            {"input_ids", "attention_mask"},
            {self._output},
            optional=frozenset({"token_type_ids"}),
        )
        path = self.folder / "tokenizer.json"
        if not path.exists():
            raise ValueError(f"{self.folder} holds no tokenizer.json")
        self.tokenizer = Tokenizer.from_file(str(path))
        self.tokenizer.enable_truncation(self._max_tokens())
        self.tokenizer.enable_padding(pad_id=int(self.config.get("pad_token_id") or 0))

    def _max_tokens(self) -> int:
        told: Any = self.read_json("tokenizer_config.json").get("model_max_length")
        positions = int(self.config.get("max_position_embeddings") or 512)
        # A tokenizer that knows no limit says 1e30.
        return min(positions, int(told)) if told else positions

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One run for all rows, padded to the longest."""
        encoded = self.tokenizer.encode_batch([row.texts[0] for row in batch])  # type: ignore[attr-defined] # its own Input
        mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
        arrays = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([e.type_ids for e in encoded], dtype=np.int64),
        }
        out = self.forward({name: arrays[name] for name in self.input_names})[self._output]
        return list(embeddings(batch, out if out.ndim == 2 else mean_pooled(out, mask)))
