"""Dialect silero-vad: input (B, 64 + 512), state (2, B, 128), sr -> output (B, 1), stateN as state.

The graph hears a sound in chunks of 512 samples at 16 kHz, each after the last 64 of the chunk
before it, and hands a state on from chunk to chunk. What it answers is a chunk's probability of
speech. The folder needs nothing but the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...classify import classification
from ...rows import Decoded
from ...sound.waveform import Samples, decode
from ..adapter import Adapter
from ..checks import chances
from ..graph import Shapes

_RATE, _CHUNK, _CONTEXT, _STATE = 16_000, 512, 64, 128

#: Chunks that the least speech fills: a quarter of a second, as in Silero's own defaults.
_LEAST_SPEECH = 8

#: Sounds that one run takes.
_MAX_ROWS = 16

_LABELS = {0: "no_speech", 1: "speech"}


class SileroVad(Adapter):
    """Whether there is speech in a sound: labels "speech" and "no_speech".

    A sound is as much speech as its quarter of a second that is most so: the greatest mean over
    eight chunks in a row, or over all chunks of a shorter sound. One word in a minute of silence is
    speech, one click is not; the mean over a whole sound would say how long is spoken, not whether.
    """

    dialect: ClassVar[str] = "silero-vad"
    tasks: ClassVar[tuple[str, ...]] = ("audio-classification",)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """Graphs for 16 kHz alone do without sr."""
        return {*inputs} - {"sr"} == {"input", "state"} and {*outputs} == {"output", "stateN"}

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """All readable rows together, chunk by chunk; one by one where the graph's batch is 1."""
        sounds = Decoded(batch, self._heard)
        at_once = self.graph.fixed_rows("input") or _MAX_ROWS
        found = [
            chance
            for start in range(0, len(sounds.rows), at_once)
            for chance in self._listen(sounds.rows[start : start + at_once])
        ]
        return sounds.answers(
            [
                classification(self.task, row, _scores(chance), _LABELS)
                for row, chance in zip(sounds.inputs, found, strict=True)
            ]
        )

    def _heard(self, row: TaskInput) -> Samples:
        """A row's samples behind silent context, in whole chunks. Raises RowError."""
        given: Any = row  # an input of sounds
        seconds = self.task.max_row_cost / 1000
        samples = decode(given.audio[0], given.sample_rate, rate=_RATE, max_seconds=seconds)
        return np.pad(samples, (_CONTEXT, -len(samples) % _CHUNK))

    def _listen(self, sounds: Sequence[Samples]) -> list[NDArray[np.float32]]:
        """Per sound, the probability of speech of each of its chunks. A sound that has ended leaves
        the batch, the longest are in front: none is padded for another's sake.
        """
        counts = np.array([len(sound) // _CHUNK for sound in sounds])
        order = np.argsort(-counts, kind="stable")
        speech = np.zeros((len(sounds), counts.max()), dtype=np.float32)
        state = np.zeros((2, len(sounds), _STATE), dtype=np.float32)
        for chunk in range(counts.max()):
            going = order[: int((counts > chunk).sum())]
            start = chunk * _CHUNK
            heard = [sounds[i][start : start + _CONTEXT + _CHUNK] for i in going]
            made = self.graph.run(
                {
                    "input": np.stack(heard),
                    "state": state[:, : len(going)],
                    "sr": np.array(_RATE),
                }
            )
            speech[going, chunk], state = made["output"][:, 0], made["stateN"]
        sure = chances(speech, "output")
        return [row[:count] for row, count in zip(sure, counts, strict=True)]


def _scores(heard: NDArray[np.float32]) -> NDArray[np.float32]:
    """No speech and speech, (2,), of the chunks' probabilities."""
    length = min(_LEAST_SPEECH, len(heard))
    speech = np.convolve(heard, np.full(length, 1 / length), "valid").max().clip(0, 1)
    return np.array([1 - speech, speech], dtype=np.float32)
