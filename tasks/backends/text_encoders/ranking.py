from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...text.ranking import Ranked, RankingInput, RankingOutput
from ..classify import sigmoid
from ..text.cut import with_truncation
from .reader import Reading, TextEncoder

_NO_PLACE = RowError("instruction: this model is given none: leave it out")


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
        """Pairs of all rows together; a row with an instruction for a model of none fails."""
        rows = cast("Sequence[RankingInput]", batch)
        if self.takes_instruction:
            return self._ranked(rows)
        answers = iter(self._ranked([row for row in rows if not row.instruction]))
        return [_NO_PLACE if row.instruction else next(answers) for row in rows]

    def _ranked(self, rows: Sequence[RankingInput]) -> list[TaskOutput | RowError]:
        owners = [row for row in rows for _ in row.texts[0]]
        queries = [row.queries[0] for row in owners]
        read = self.read(owners, queries, [text for row in rows for text in row.texts[0]])
        found = iter(self.reader.logits([pair.tokens for pair in read]))  # (1,) each
        cuts = iter(pair.cut for pair in read)
        answers: list[TaskOutput | RowError] = []
        for row in rows:
            own = np.array([next(found)[0] for _ in row.texts[0]], dtype=np.float32)
            answers.append(
                with_truncation(row, _ranking(row, own), [next(cuts) for _ in row.texts[0]])
            )
        return answers


def _ranking(row: RankingInput, own: NDArray[np.float32]) -> RankingOutput:
    """The row's texts, the best first. own: (texts,)."""
    order = np.argsort(-own, kind="stable")[: row.top_k].tolist()
    scores = own if row.raw_scores else sigmoid(own)
    ranked = [
        Ranked(index=i, score=float(scores[i]), text=row.texts[0][i] if row.return_text else "")
        for i in order
    ]
    return RankingOutput(rankings=[ranked])
