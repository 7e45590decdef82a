from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...text.ranking import Ranked, RankingInput, RankingOutput
from ..classify import sigmoid
from ..rows import Decoded
from ..text.cut import with_truncation
from .reader import Read, Reading, TextEncoder

_NO_PLACE = "instruction: this model is given none: leave it out"


class Ranking(Reading):
    """A cross-encoder with one label reads each query with each of its texts."""

    #: Whether what is read has a place for an instruction.
    takes_instruction = False

    def __init__(self, task: Task, reader: TextEncoder) -> None:
        super().__init__(task, reader)
        if reader.classes not in (1, None):
            raise ValueError(
                f"ranking needs a model with one label, {reader.name} has {reader.classes}"
            )

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Pairs of all readable rows together."""
        decoded = Decoded(batch, self.pairs)
        read = [pair for row in decoded.rows for pair in row]
        found = iter(self.reader.logits([pair.tokens for pair in read]))  # (1,) each
        answers: list[TaskOutput | RowError] = []
        for given, pairs in zip(decoded.inputs, decoded.rows, strict=True):
            row = cast("RankingInput", given)
            own = np.array([next(found)[0] for _ in pairs], dtype=np.float32)
            answers.append(with_truncation(row, _ranking(row, own), [pair.cut for pair in pairs]))
        return decoded.answers(answers)

    def pairs(self, given: TaskInput) -> list[Read]:
        """A row's query with each of its texts. Raises RowError."""
        row = cast("RankingInput", given)
        if row.instruction and not self.takes_instruction:
            raise RowError(_NO_PLACE)
        texts = row.texts[0]
        return self.read([row] * len(texts), row.queries * len(texts), texts)


def _ranking(row: RankingInput, own: NDArray[np.float32]) -> RankingOutput:
    """The row's texts, the best first. own: (texts,)."""
    order = np.argsort(-own, kind="stable")[: row.top_k].tolist()
    scores = own if row.raw_scores else sigmoid(own)
    ranked = [
        Ranked(index=i, score=float(scores[i]), text=row.texts[0][i] if row.return_text else "")
        for i in order
    ]
    return RankingOutput(rankings=[ranked])
