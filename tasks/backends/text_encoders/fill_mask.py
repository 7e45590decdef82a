from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...text.fill_mask import Filling, FillMaskInput, FillMaskOutput
from ..base import ModelRefused
from ..classify import softmax
from ..rows import Decoded
from .reader import Reading, TextEncoder, Tokens


class _Gaps(NamedTuple):
    """A row's tokens, the positions of its masks, and the tokens it may choose from."""

    tokens: Tokens
    masks: list[int]
    targets: list[int] | None


class FillMask(Reading):
    """The likeliest tokens in the places of masks."""

    def __init__(self, task: Task, reader: TextEncoder) -> None:
        super().__init__(task, reader)
        mask = reader.mask_token
        if mask is None:
            raise ModelRefused(f"{reader.name}: the tokenizer has no mask token")
        self._mask = mask
        self._vocabulary = reader.vocabulary()

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all readable rows; those alike in length share a forward."""
        decoded = Decoded(batch, self._gaps)
        found = self.reader.gap_logits([row.tokens for row in decoded.rows], self._mask.number)
        return decoded.answers(
            [
                self._answer(cast("FillMaskInput", row), gaps, softmax(scores))
                for row, gaps, scores in zip(decoded.inputs, decoded.rows, found, strict=True)
            ]
        )

    def _gaps(self, given: TaskInput) -> _Gaps:
        row = cast("FillMaskInput", given)
        (tokens,) = self.reader.tokens(row.texts, truncation=False)
        ids: list[int] = tokens["input_ids"]
        if len(ids) > self.reader.max_tokens:
            raise RowError(
                f"the text has {len(ids)} tokens, the model reads {self.reader.max_tokens}"
            )
        masks = [place for place, token in enumerate(ids) if token == self._mask.number]
        if not masks:
            raise RowError(f"the text holds no mask token, {self._mask.text}")
        return _Gaps(tokens, masks, self._targets(row.targets))

    def _targets(self, words: Sequence[str] | None) -> list[int] | None:
        if words is None:
            return None
        found = []
        for word in words:
            known = self._vocabulary.get(word)
            found += self.reader.bare(word)[:1] if known is None else [known]
        if not found:
            raise RowError("the model knows no token of any target")
        return sorted(set(found))

    def _answer(self, row: FillMaskInput, gaps: _Gaps, scores: NDArray[np.float32]) -> TaskOutput:
        among = np.arange(scores.shape[1]) if gaps.targets is None else np.array(gaps.targets)
        fillings = []
        for place, own in zip(gaps.masks, scores, strict=True):
            for i in _largest(own[among], row.top_k):
                token = int(among[i])
                ids = [*gaps.tokens["input_ids"]]
                ids[place] = token
                ids = [i for i in ids if i != self.reader.pad_token]  # it may be chosen
                # Without special tokens the other masks would go too.
                text = self.reader.decode(ids, special=len(gaps.masks) > 1)
                fillings.append(
                    Filling(
                        sequence=text,
                        score=float(own[token]),
                        token=token,
                        token_str=self.reader.decode([token]),
                    )
                )
        return FillMaskOutput(fillings=[fillings])


def _largest(scores: NDArray[np.float32], count: int) -> list[int]:
    """Positions of the largest, the largest first; a vocabulary is too long to sort whole."""
    count = min(count, len(scores))
    best = np.argpartition(-scores, count - 1)[:count]
    ordered: list[int] = best[np.argsort(-scores[best], kind="stable")].tolist()
    return ordered
