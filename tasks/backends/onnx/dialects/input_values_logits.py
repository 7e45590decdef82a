"""Dialect input-values-logits: input_values (B, samples) -> logits (B, labels)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ...classify import classification, probabilities
from ...company import Company, Probe
from ...rows import Decoded
from ...sound.waveform import Samples
from ..adapter import Adapter, has_rank
from ..graph import Shapes
from ..model import OnnxModel
from ..sounds import Listener


class InputValuesLogits(Adapter):
    """The labels of a sound: wav2vec 2.0 and its kin."""

    dialect: ClassVar[str] = "input-values-logits"
    tasks: ClassVar[tuple[str, ...]] = ("audio-classification",)
    takes: ClassVar[tuple[str, ...]] = ("input_values", "attention_mask")
    reads: ClassVar[tuple[str, ...]] = ("logits",)

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        self.listener = Listener.read(task, model)
        if not self.listener.pads:
            self.company = Company("equal-length")

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """Plain samples have two axes (spectrograms three), as have labels (letters three)."""
        return (
            {*inputs} - {"attention_mask"} == {"input_values"}
            and has_rank(inputs["input_values"], 2)
            and "logits" in outputs
            and has_rank(outputs["logits"], 2)
        )

    def probe(self) -> Probe[Samples] | None:
        """As sounds are tried."""
        return self.listener.probe(self.graph)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One run for all readable rows, where the model has a mask; else one per length."""
        sounds = Decoded(batch, self.listener.heard)
        if not sounds.rows:
            return sounds.answers([])
        logits = np.stack(  # (B, labels)
            self.listener.logits(self.graph, sounds.rows, self.company.batching)
        )
        scores = probabilities(logits, self.model.config.get("problem_type"))
        labels = self.model.labels(scores.shape[-1])
        return sounds.answers(
            [
                classification(self.task, row, s, labels)
                for row, s in zip(sounds.inputs, scores, strict=True)
            ]
        )
