"""Dialect spectrogram-logits: input_values (B, frames, mels) -> logits (B, labels).

The audio spectrogram transformer (AST, Gong et al., 2021): a sound is cut or filled up to as many
frames as preprocessor_config.json says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ...base import ModelRefused
from ...classify import classification, probabilities
from ...rows import Decoded
from ...sound.waveform import decode
from ..adapter import Adapter, has_rank
from ..fbank import FRAME, Floats, log_fbank
from ..graph import Shapes
from ..model import OnnxModel

#: Sounds that one run takes.
_MAX_ROWS = 16

#: The mean and deviation of AudioSet, which AST was trained on.
_MEAN, _DEVIATION = -4.2677393, 4.5689974


class SpectrogramLogits(Adapter):
    """The labels of a sound, by its picture."""

    dialect: ClassVar[str] = "spectrogram-logits"
    tasks: ClassVar[tuple[str, ...]] = ("audio-classification",)
    takes: ClassVar[tuple[str, ...]] = ("input_values",)
    reads: ClassVar[tuple[str, ...]] = ("logits",)

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        told = model.read_json("preprocessor_config.json")
        told = told or model.read_json("processor_config.json").get("feature_extractor") or {}
        if not told:
            raise ModelRefused(
                f"{model.folder} holds no preprocessor_config.json, which says how sounds are made"
                " pictures"
            )
        self._rate = int(told.get("sampling_rate") or 16_000)
        self._frames = int(told.get("max_length") or 1024)
        self._mels = int(told.get("num_mel_bins") or 128)
        self._mean, self._deviation = told.get("mean", _MEAN), told.get("std", _DEVIATION)
        self._normalises = told.get("do_normalize", True)
        shape = self.graph.inputs["input_values"][1:]
        wanted = (self._frames, self._mels)
        if any(isinstance(axis, int) and axis != n for axis, n in zip(shape, wanted, strict=False)):
            raise ModelRefused(
                f"the graph takes {[*shape]} frames and bands, preprocessor_config.json makes"
                f" {[*wanted]}"
            )

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """Pictures have three axes (plain samples two), labels two."""
        return (
            {*inputs} == {"input_values"}
            and len(inputs["input_values"]) == 3
            and "logits" in outputs
            and has_rank(outputs["logits"], 2)
        )

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """All readable rows together, a few at a time: their pictures are of one size."""
        sounds = Decoded(batch, self._picture)
        found: list[TaskOutput] = []
        for at in range(0, len(sounds.rows), _MAX_ROWS):
            rows = sounds.inputs[at : at + _MAX_ROWS]
            pictures = np.stack(sounds.rows[at : at + _MAX_ROWS])
            logits = self.graph.read("logits", {"input_values": pictures})
            scores = probabilities(logits, self.model.config.get("problem_type"))
            labels = self.model.labels(scores.shape[-1])
            found += [
                classification(self.task, row, own, labels)
                for row, own in zip(rows, scores, strict=True)
            ]
        return sounds.answers(found)

    def _picture(self, row: TaskInput) -> Floats:
        """A row's sound, (frames, mels). Raises RowError."""
        given: Any = row  # an input of sounds
        seconds = self.task.max_row_cost / 1000
        samples = decode(given.audio[0], given.sample_rate, rate=self._rate, max_seconds=seconds)
        if len(samples) < FRAME:
            raise RowError(f"a sound of {len(samples)} samples at {self._rate}/s is too short")
        made = log_fbank(samples, mels=self._mels, rate=self._rate)[: self._frames]
        picture = np.pad(made, ((0, self._frames - len(made)), (0, 0)))
        if not self._normalises:
            return picture
        normal: Floats = (picture - self._mean) / (2 * self._deviation)
        return normal.astype(np.float32)
