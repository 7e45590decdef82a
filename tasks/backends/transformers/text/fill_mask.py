from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....text.fill_mask import Filling, FillMaskInput, FillMaskOutput
from ...rows import Decoded
from ..whole import POOLER
from .base import TextBackend


class _Gaps(NamedTuple):
    """A row's tokens, the positions of its masks, and the tokens it may choose from."""

    tokens: Mapping[str, Any]
    masks: list[int]
    targets: list[int] | None


class FillMask(TextBackend):
    """The likeliest tokens of an AutoModelForMaskedLM."""

    auto_class = "AutoModelForMaskedLM"
    unread = (POOLER,)

    def load_processor(self) -> None:
        """Load the tokenizer. Raises ValueError for one without a mask token."""
        super().load_processor()
        if self.tokenizer.mask_token_id is None:
            raise ValueError(f"{self.source}: the tokenizer has no mask token")
        self._vocabulary: dict[str, int] = self.tokenizer.get_vocab()

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all readable rows; those alike in length share a forward."""
        decoded = Decoded(batch, self._gaps)
        found = self.infer([row.tokens for row in decoded.rows], self._read)
        return decoded.answers(
            [
                self._answer(cast("FillMaskInput", row), gaps, scores)
                for row, gaps, scores in zip(decoded.inputs, decoded.rows, found, strict=True)
            ]
        )

    def _gaps(self, given: TaskInput) -> _Gaps:
        row = cast("FillMaskInput", given)
        (tokens,) = self.tokens(row.texts, truncation=False)
        ids: list[int] = tokens["input_ids"]
        if len(ids) > self.max_tokens:
            raise RowError(f"the text has {len(ids)} tokens, the model reads {self.max_tokens}")
        masks = [place for place, token in enumerate(ids) if token == self.tokenizer.mask_token_id]
        if not masks:
            raise RowError(f"the text holds no mask token, {self.tokenizer.mask_token}")
        return _Gaps(tokens, masks, self._targets(row.targets))

    def _targets(self, words: Sequence[str] | None) -> list[int] | None:
        if words is None:
            return None
        found = []
        for word in words:
            known = self._vocabulary.get(word)
            found += self._pieces(word)[:1] if known is None else [known]
        if not found:
            raise RowError("the model knows no token of any target")
        return sorted(set(found))

    def _pieces(self, word: str) -> list[int]:
        ids: list[int] = self.encoded(word, add_special_tokens=False)["input_ids"]
        return ids

    def _read(self, out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
        """Probabilities at the masks alone, (masks, V) a row: all would be B * T * V numbers."""
        at = tensors["input_ids"] == self.tokenizer.mask_token_id
        logits = out.logits[:, : at.shape[1]]  # Perceiver answers for all places that it has
        return [row[own].float().softmax(-1) for row, own in zip(logits, at, strict=True)]

    def _answer(self, row: FillMaskInput, gaps: _Gaps, scores: NDArray[np.float32]) -> TaskOutput:
        among = np.arange(scores.shape[1]) if gaps.targets is None else np.array(gaps.targets)
        fillings = []
        for place, own in zip(gaps.masks, scores, strict=True):
            for i in _largest(own[among], row.top_k):
                token = int(among[i])
                ids = [*gaps.tokens["input_ids"]]
                ids[place] = token
                ids = [i for i in ids if i != self.tokenizer.pad_token_id]  # it may be chosen
                # Without special tokens the other masks would go too.
                text = self.tokenizer.decode(ids, skip_special_tokens=len(gaps.masks) == 1)
                fillings.append(
                    Filling(
                        sequence=text,
                        score=float(own[token]),
                        token=token,
                        token_str=self.tokenizer.decode([token]),
                    )
                )
        return FillMaskOutput(fillings=[fillings])


def _largest(scores: NDArray[np.float32], count: int) -> list[int]:
    """Positions of the largest, the largest first; a vocabulary is too long to sort whole."""
    count = min(count, len(scores))
    best = np.argpartition(-scores, count - 1)[:count]
    ordered: list[int] = best[np.argsort(-scores[best], kind="stable")].tolist()
    return ordered
