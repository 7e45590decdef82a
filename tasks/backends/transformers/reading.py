from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...text.texts import Side
from ..device import Device
from ..pool import POOLING_FILE, pooled, pooling
from ..reading.reader import Reading, Tokens
from .text import TextBackend, real_tokens


class ReadingBackend(TextBackend):
    """A Reader, and the task that is done with it."""

    reading: ClassVar[type[Reading]]
    _pooling = "mean"

    def load_processor(self) -> None:
        """Load the tokenizer. Raises ValueError for a model that does not fit the task."""
        super().load_processor()
        self._reading = self.reading(self.task, self)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all readable rows; those alike in length share a forward."""
        return self._reading.run(batch)

    @property
    def name(self) -> str:
        """The source."""
        return str(self.source)

    @property
    def labels(self) -> Mapping[int, str]:
        """id2label of the configuration."""
        return cast("Mapping[int, str]", self.model.config.id2label)

    @property
    def classes(self) -> int | None:
        """How many there are."""
        return cast("int", self.model.config.num_labels)

    @property
    def problem_type(self) -> str | None:
        """What logits mean."""
        return getattr(self.model.config, "problem_type", None)

    @property
    def raw_tokenizer(self) -> Tokenizer:
        """That of a fast tokenizer. Raises ValueError for another."""
        self.needs_offsets()
        return cast("Tokenizer", self.tokenizer.backend_tokenizer)

    @property
    def unknown_token(self) -> int | None:
        """The number of the token for what the tokenizer does not know."""
        return cast("int | None", self.tokenizer.unk_token_id)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens texts have, uncut and without special ones."""
        return [*map(len, self.encoded(list(texts), add_special_tokens=False)["input_ids"])]

    def room(self, *, pair: bool) -> int:
        """How many tokens a text, or a pair together, may have, without special ones."""
        special: int = self.tokenizer.num_special_tokens_to_add(pair=pair)
        return self.max_tokens - special

    def pieces(self, text: str, stride: int | None, side: Side = "right") -> list[Encoding]:
        """A text as tokens: cut, or in pieces that share `stride` tokens."""
        split = {} if stride is None else {"return_overflowing_tokens": True, "stride": stride}
        cut_at: Side = side if stride is None else "right"
        return list(self.encoded([text], truncation=True, side=cut_at, **split).encodings)

    def logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (labels,)."""
        return self.infer(sequences, _logits)

    def token_logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (T, labels)."""
        return self.infer(sequences, _token_logits)

    def states(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """The last hidden state of each sequence, (T, D)."""
        return self.infer(sequences, _states)

    def vectors(self, sequences: Sequence[Tokens]) -> NDArray[np.float32]:
        """A vector a sequence, (B, D), not of any particular length."""
        return np.stack(self.infer(sequences, self._pooled))

    def _pooled(self, out: Any, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        mask = tensors["attention_mask"].float()
        vectors: torch.Tensor = pooled(out.last_hidden_state.float(), mask, self._pooling)
        return vectors


class PoolingBackend(ReadingBackend):
    """One vector a text, from an AutoModel's last hidden state.

    `pooling` is mean, cls (the first token) or lasttoken; empty takes what sentence-transformers
    wrote beside the model, else the mean.
    """

    auto_class = "AutoModel"

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        pooling: str = "",
        **options: Any,  # those of every model of transformers
    ) -> None:
        super().__init__(task, source, device=device, **options)
        self._pooling = pooling

    def load_processor(self) -> None:
        """Load the tokenizer, and how the model pools. Raises ValueError for an unknown way."""
        super().load_processor()
        self._pooling = pooling(pooling_config(self.name, self._revision), self._pooling)


def pooling_config(source: str, revision: str | None = None) -> dict[str, Any]:
    """What sentence-transformers wrote beside a model; empty where it wrote nothing."""
    from transformers.utils.hub import cached_file

    try:
        path = cached_file(source, POOLING_FILE, revision=revision)
    except OSError:  # there is no such file
        return {}
    config: dict[str, Any] = json.loads(Path(path).read_text()) if path else {}
    return config


def _logits(out: Any, _: Mapping[str, torch.Tensor]) -> torch.Tensor:
    logits: torch.Tensor = out.logits
    return logits


def _states(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    return real_tokens(out.last_hidden_state, tensors)  # B times (T, D)


def _token_logits(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    return real_tokens(out.logits, tensors)  # B times (T, labels)
