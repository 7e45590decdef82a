from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...text.zero_shot_classification import ZeroShotClassificationInput
from ..classify import classification, softmax
from ..rows import Decoded
from ..text.cut import with_truncation
from .reader import Read, Reading, TextEncoder


class ZeroShotClassification(Reading):
    """A model of natural language inference reads each text with each label."""

    def __init__(self, task: Task, reader: TextEncoder) -> None:
        super().__init__(task, reader)
        names = {int(i): name.lower() for i, name in reader.labels.items()}
        entails = [i for i, name in names.items() if name.startswith("entail")]
        if not entails:
            raise ValueError(f"{reader.name}: no label is called entailment: {[*names.values()]}")
        self._entails = entails[0]
        # Where no label is called contradiction it is the first, or the last behind entailment.
        contradicts = [i for i, name in names.items() if name.startswith(("contra", "not"))]
        self._contradicts = (contradicts or [0 if self._entails else max(names)])[0]

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Texts and labels of all readable rows together."""
        decoded = Decoded(batch, self._tokens)
        pairs = [pair.tokens for row in decoded.rows for pair in row]
        found = iter(self.reader.logits(pairs))
        answers: list[TaskOutput | RowError] = []
        for row, own in zip(decoded.inputs, decoded.rows, strict=True):
            output = self._answer(row, np.stack([next(found) for _ in own]))
            answers.append(with_truncation(row, output, [pair.cut for pair in own]))
        return decoded.answers(answers)

    def _tokens(self, given: TaskInput) -> list[Read]:
        row = cast("ZeroShotClassificationInput", given)
        labels = row.candidate_labels
        hypotheses = [row.hypothesis_template.replace("{}", label) for label in labels]
        room, longest = self.reader.room(pair=True), max(self.reader.lengths(hypotheses))
        if longest >= room:  # nothing would be left of the text, which alone may be cut
            raise RowError(f"a label of {longest} tokens is too long; the model reads {room}")
        count = len(labels)
        return self.read([row] * count, row.texts * count, hypotheses, "only_first")

    def _answer(self, given: TaskInput, own: NDArray[np.float32]) -> TaskOutput:
        """Every label with its score. own: (L, labels of the model)."""
        row = cast("ZeroShotClassificationInput", given)
        if row.multi_label or len(own) == 1:
            scores = softmax(own[:, [self._contradicts, self._entails]])[:, 1]
        else:
            scores = softmax(own[:, self._entails])
        return classification(self.task, row, scores, dict(enumerate(row.candidate_labels)))
