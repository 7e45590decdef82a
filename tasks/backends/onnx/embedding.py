"""Text embedding: input_ids, attention_mask (B, T) -> last_hidden_state (B, T, D)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..pool import embeddings
from .base import OnnxBackend


class Embedding(OnnxBackend):
    """Mean pooling over a graph's last hidden state."""

    def load_processor(self) -> None:
        """Read tokenizer.json; longer texts are cut to what the model's positions allow."""
        self.require({"input_ids", "attention_mask"}, {"last_hidden_state"})
        path = self.folder / "tokenizer.json"
        if not path.exists():
            raise ValueError(f"{self.folder} holds no tokenizer.json")
        self.tokenizer = Tokenizer.from_file(str(path))
        self.tokenizer.enable_truncation(int(self.config.get("max_position_embeddings", 512)))
        self.tokenizer.enable_padding(pad_id=int(self.config.get("pad_token_id") or 0))

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One run for all rows, padded to the longest."""
        encoded = self.tokenizer.encode_batch([row.texts[0] for row in batch])  # type: ignore[attr-defined] # its own Input
        mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
        arrays = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([e.type_ids for e in encoded], dtype=np.int64),
        }
        out = self.forward({name: arrays[name] for name in self.input_names})
        return list(embeddings(batch, out["last_hidden_state"].astype(np.float32), mask))
