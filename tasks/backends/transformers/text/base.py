from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ....text.texts import Side
from ...company import TEXTS, Probe, Values, turned
from ...rows import check_entries
from ...text.lengths import sharing
from ...text_encoders.reader import Tokens, TruncationStrategy
from ..base import TransformersBackend
from ..chunks import lengthened
from ..tokenizer import load_tokenizer

#: Takes from a model's output, given its inputs (B, T), what a task needs: one entry a sequence.
Read = Callable[[Any, Mapping[str, torch.Tensor]], torch.Tensor | Sequence[torch.Tensor]]

#: What tokenizers say that know no limit.
_NO_LIMIT = 10**30


class TextBackend(TransformersBackend):
    """Models that read text. Longer texts are cut to what the model's positions allow."""

    tokenizer: Any
    _cutting: threading.Lock

    def load_processor(self) -> None:
        """Load the tokenizer."""
        self._cutting = threading.Lock()
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )
        self.tokenizer.model_max_length = min(self.tokenizer.model_max_length, self._positions())
        if self.tokenizer.pad_token is None:  # GPT and its kin; the first one had no end either
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token
            self.model.config.pad_token_id = self.tokenizer.pad_token_id
        self._takes = frozenset(inspect.signature(self.model.forward).parameters)
        self._names = [name for name in self.tokenizer.model_input_names if name in self._takes]

    @property
    def max_tokens(self) -> int:
        """Tokens that the model reads at once, special ones included."""
        tokens: int = self.tokenizer.model_max_length
        return tokens

    def _positions(self) -> int:
        positions: int = getattr(self.model.config, "max_position_embeddings", None) or 512
        if positions < 0:  # XLNet has no limit, and says -1
            return _NO_LIMIT
        table = getattr(self.model.base_model, "embeddings", None)
        padding = getattr(getattr(table, "position_embeddings", None), "padding_idx", None)
        # RoBERTa counts from behind its padding position.
        return positions if padding is None else positions - padding - 1

    def needs_offsets(self) -> None:
        """Raise ValueError for a tokenizer that does not tell where its tokens stand."""
        if not self.tokenizer.is_fast:
            raise ValueError(f"{self.source}: needs a fast tokenizer, with a tokenizer.json")

    def tokens(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        truncation: TruncationStrategy | Literal[False] = "longest_first",
        side: Side = "right",
    ) -> list[Tokens]:
        """Tokenize texts, or pairs of them, without padding."""
        if not texts:
            return []
        encoded = self.encoded(
            list(texts),
            None if pairs is None else list(pairs),
            truncation=truncation,
            side=side,
        )
        check_entries({name: encoded[name] for name in self._names if name in encoded}, len(texts))
        return [
            {name: encoded[name][row] for name in self._names if name in encoded}
            for row in range(len(texts))
        ]

    def encoded(self, *texts: Any, side: Side = "right", **how: Any) -> Any:
        """What the tokenizer makes of texts. How to cut is its own state, which threads share."""
        with self._cutting:
            self.tokenizer.truncation_side = side
            return self.tokenizer(*texts, **how)

    def infer(self, sequences: Sequence[Tokens], read: Read) -> list[NDArray[np.float32]]:
        """Run sequences, those alike in length together; answer what `read` takes, in order."""
        lengths = [len(tokens["input_ids"]) for tokens in sequences]
        groups = sharing(lengths, self.company.batching)
        inputs = [self._padded([sequences[row] for row in group]) for group in groups]
        found: dict[int, NDArray[np.float32]] = {}
        with self.forward():
            for group, tensors in zip(groups, inputs, strict=True):
                moved = self.to_device(tensors)
                found.update(zip(group, _arrays(read(self._call(moved), moved)), strict=True))
        return [found[row] for row in range(len(sequences))]

    def probe(self) -> Probe[Any]:
        """Texts of three lengths."""
        rows = _odd_and_even(self.probe_rows())
        config, most = self.model.config, self.max_tokens
        for row, half in enumerate((True, False)):
            rows[row] = {
                name: lengthened(entries, config, most, half=half)
                for name, entries in rows[row].items()
            }
        twin = {**rows[0], "input_ids": turned(rows[0]["input_ids"])}
        return Probe(rows, twin, self._probe_outputs, self.tolerance)

    def probe_rows(self) -> list[Tokens]:
        """Sequences of three lengths, a usual one first."""
        return self.tokens(TEXTS)

    def _probe_outputs(self, sequences: Sequence[Tokens]) -> list[Values]:
        """What the model says to sequences that are padded together: hidden states, or logits."""
        with self.forward():
            moved = self.to_device(self._padded(sequences))
            found = self._call(moved)
            names = [n for n in found if n == "last_hidden_state"]
            names = names or [n for n in found if "logits" in n]
            values = [found[n] for n in names if isinstance(found[n], torch.Tensor)]
            length = moved["input_ids"].shape[1]
            per_row = [
                real_tokens(v, moved) if v.ndim > 1 and v.shape[1] == length else list(v)
                for v in values
            ]
            return [_arrays(parts) for parts in zip(*per_row, strict=True)]

    def _call(self, tensors: Mapping[str, torch.Tensor]) -> Any:
        return self.model(**{name: t for name, t in tensors.items() if name in self._takes})

    def _padded(self, sequences: Sequence[Tokens]) -> dict[str, torch.Tensor]:
        """(B, T) each, attention_mask among them, whether or not the model takes one."""
        rows = [{n: tokens[n] for n in self._names if n in tokens} for tokens in sequences]
        return dict(self.tokenizer.pad(rows, return_attention_mask=True, return_tensors="pt"))


def _odd_and_even(rows: Sequence[Tokens]) -> list[Tokens]:
    """The same, the last of another parity: models that look at tokens in pairs (Funnel) would not
    move else.
    """
    *others, last = rows
    if len(last["input_ids"]) % 2 == len(rows[0]["input_ids"]) % 2:
        last = {name: [*ids[:-2], *ids[-1:]] for name, ids in last.items()}
    return [*others, last]


def _arrays(found: torch.Tensor | Sequence[torch.Tensor]) -> list[NDArray[np.float32]]:
    if isinstance(found, torch.Tensor):
        return list(found.float().cpu().numpy())
    return [entry.float().cpu().numpy() for entry in found]


def real_tokens(
    values: torch.Tensor, tensors: Mapping[str, torch.Tensor]
) -> Sequence[torch.Tensor]:
    """Values of tokens without those of padding. values: (B, T, ...) -> B times (own T, ...)."""
    masks = tensors["attention_mask"].bool()
    return [row[mask] for row, mask in zip(values, masks, strict=True)]
