from __future__ import annotations

from collections.abc import Sequence

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...classify import classification, probabilities
from ...rows import Decoded
from .base import AudioBackend


class AudioClassification(AudioBackend):
    """The labels of an AutoModelForAudioClassification: wav2vec 2.0 and its kin, AST, Whisper."""

    auto_class = "AutoModelForAudioClassification"

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for all readable rows; one per length where padding would tell."""
        decoded = Decoded(batch, lambda row: self.extract(self.samples(row)))
        config = self.model.config
        found: dict[int, TaskOutput] = {}
        for positions, tensors in self.batches(decoded.rows):
            with self.forward():
                logits = self.model(**self.to_device(tensors)).logits.float().cpu().numpy()
            scores = probabilities(logits, getattr(config, "problem_type", None))
            for position, row_scores in zip(positions, scores, strict=True):
                found[position] = classification(
                    self.task, decoded.inputs[position], row_scores, config.id2label
                )
        return decoded.answers([found[i] for i in range(len(decoded.rows))])
