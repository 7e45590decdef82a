"""Dialect silero-vad: input (B, 64 + 512), state (2, B, 128), sr -> output (B, 1), stateN as state;
of version 4 input (B, 512), h and c (2, B, 64), sr -> output (B, 1), hn and cn.

The graph hears a sound in chunks of 512 samples at 16 kHz, from version 5 on each after the last 64
of the chunk before it, and hands a state on from chunk to chunk. What it answers is a chunk's
probability of speech. The folder needs nothing but the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ...classify import classification
from ...rows import Decoded
from ...sound.waveform import Samples, decode
from ..adapter import Adapter
from ..checks import chances
from ..graph import Shapes
from ..model import OnnxModel

_RATE, _CHUNK = 16_000, 512


class _Version(NamedTuple):
    """What the graphs of a version differ in."""

    #: Samples of the chunk before that each chunk begins with.
    context: int
    #: Width of a state.
    width: int
    #: What a chunk gives of each state, by what the next one takes.
    states: Mapping[str, str]


_VERSIONS = (
    _Version(context=64, width=128, states={"state": "stateN"}),
    _Version(context=0, width=64, states={"h": "hn", "c": "cn"}),  # 4
)

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
    labelled: ClassVar[bool] = False

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        self._version = next(v for v in _VERSIONS if {*v.states} <= {*self.graph.inputs})

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """Graphs for 16 kHz alone do without sr."""
        return any(
            {*inputs} - {"sr"} == {"input", *version.states}
            and {*outputs} == {"output", *version.states.values()}
            for version in _VERSIONS
        )

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
        return np.pad(samples, (self._version.context, -len(samples) % _CHUNK))

    def _listen(self, sounds: Sequence[Samples]) -> list[NDArray[np.float32]]:
        """Per sound, the probability of speech of each of its chunks. A sound that has ended leaves
        the batch, the longest are in front: none is padded for another's sake.
        """
        counts = np.array([len(sound) // _CHUNK for sound in sounds])
        order = np.argsort(-counts, kind="stable")
        speech = np.zeros((len(sounds), counts.max()), dtype=np.float32)
        context, width, names = self._version
        shape = (2, len(sounds), width)
        states = {name: np.zeros(shape, dtype=np.float32) for name in names}
        for chunk in range(counts.max()):
            going = order[: int((counts > chunk).sum())]
            start = chunk * _CHUNK
            heard = [sounds[i][start : start + context + _CHUNK] for i in going]
            before = {name: state[:, : len(going)] for name, state in states.items()}
            made = self.graph.run({"input": np.stack(heard), **before, "sr": np.array(_RATE)})
            speech[going, chunk] = made["output"][:, 0]
            states = {name: made[after] for name, after in names.items()}
        sure = chances(speech, "output")
        return [row[:count] for row, count in zip(sure, counts, strict=True)]


def _scores(heard: NDArray[np.float32]) -> NDArray[np.float32]:
    """No speech and speech, (2,), of the chunks' probabilities."""
    length = min(_LEAST_SPEECH, len(heard))
    speech = np.convolve(heard, np.full(length, 1 / length), "valid").max().clip(0, 1)
    return np.array([1 - speech, speech], dtype=np.float32)
