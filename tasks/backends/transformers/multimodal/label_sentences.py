"""Candidate labels as sentences beside what is seen or heard, each encoded once a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....labels import ClassificationResult
from ...text.cut import Truncation, with_truncation

Scores = NDArray[np.float32]


class LabelSentences:
    """The sentences of rows with labels of their own, which share a forward.

    The model gets the union of them, and a row's scores come from its own columns: a sentence's
    vector does not depend on the others.
    """

    def __init__(self, task: Task, inputs: Sequence[TaskInput]) -> None:
        self._task, self._inputs = task, inputs
        self._rows = [_sentences(row) for row in inputs]
        self.union = list(dict.fromkeys(s for row in self._rows for s in row))

    def answers(
        self,
        logits: Scores,
        normal: Callable[[Scores], Scores],
        lost: Mapping[str, Truncation | None],
    ) -> list[TaskOutput | RowError]:
        """Each row's labels, the likeliest first, of logits (rows, union) and what was cut."""
        columns = {sentence: i for i, sentence in enumerate(self.union)}
        return [
            with_truncation(
                row,
                self._ranked(row, normal(logits[n, [columns[s] for s in own]])),
                [lost[sentence] for sentence in own],
            )
            for n, (row, own) in enumerate(zip(self._inputs, self._rows, strict=True))
        ]

    def _ranked(self, row: TaskInput, scores: Scores) -> TaskOutput:
        labels: list[str] = row.candidate_labels  # type: ignore[attr-defined] # of all such tasks
        results = [
            ClassificationResult(label=labels[i], score=float(scores[i]))
            for i in np.argsort(-scores, kind="stable")
        ]
        return self._task.output.model_construct(results=[results])


def _sentences(row: Any) -> list[str]:
    return [row.hypothesis_template.replace("{}", label) for label in row.candidate_labels]
