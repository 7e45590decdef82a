"""Dialect openwakeword: melspectrogram.onnx, input (1, samples) -> output (1, 1, frames, 32), with
embedding_model.onnx and a graph (B, n, 96) -> (B, labels) a word beside it; or one of the latter.

openWakeWord's three graphs in a row. It hears a sound in chunks of 80 ms: of each it makes eight
frames, of the last 76 of these a vector of speech (Google's speech_embedding), and of the last n
vectors each word's graph makes a probability.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ...base import ModelRefused
from ...classify import classification
from ...rows import Decoded
from ...sound.waveform import Samples, decode
from ..adapter import Adapter, has_rank
from ..checks import chances
from ..graph import Graph, Shapes, needs
from ..model import OnnxModel

_RATE = 16_000

#: Samples of a chunk, and those before it that its frames look at, too.
_CHUNK, _BEFORE = 1280, 480

#: Frames that a vector is made of, and numbers of a frame and a vector.
_FRAMES, _BANDS, _WIDTH = 76, 32, 96

#: Windows made vectors of at once: each takes 0.5 MB meanwhile, and a sound has thousands.
_TOGETHER = 256

#: Chunks whose answers do not count, and the silence around a sound, as in openWakeWord's own
#: `predict_clip`.
_DEAF, _SILENCE = 5, _RATE

_MEL, _VECTORS = "melspectrogram.onnx", "embedding_model.onnx"

#: What lies in openWakeWord's folder and hears no word.
_OTHERS = frozenset({_MEL, _VECTORS, "silero_vad.onnx"})

_Floats = NDArray[np.float32]


class _Word(NamedTuple):
    """A graph that hears words."""

    graph: Graph
    takes: str
    gives: str
    #: Vectors that it takes.
    vectors: int
    #: Columns of its answer, and what they are called.
    labels: Mapping[int, str]


class Openwakeword(Adapter):
    """Whether each word is spoken in a sound: the greatest of its probabilities in any 80 ms, of
    those that openWakeWord's `predict_clip` answers.

    A word is called as its graph's file is; of a graph of several, as it says.
    """

    dialect: ClassVar[str] = "openwakeword"
    tasks: ClassVar[tuple[str, ...]] = ("audio-classification",)

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        alone = self.graph.path.name not in _OTHERS
        self._mel = model.open(_MEL) if alone else self.graph
        self._vectors = model.open(_VECTORS)
        needs(self._mel, {"input"}, "output")
        needs(self._vectors, {"input_1"}, "conv2d_19")
        self._words = [_word(self.graph)] if alone else [*_words(model, self.graph.path)]
        if not self._words:
            raise ModelRefused(
                f"{self.graph.path.parent} holds {_MEL} and {_VECTORS} and no graph of a word"
            )
        spoken = [name for word in self._words for name in word.labels.values()]
        self._labels = model.labels(len(spoken), dict(enumerate(spoken)))
        #: What is heard before a sound begins: openWakeWord's own start.
        self._quiet = self._embedded(
            self._framed(np.zeros(_CHUNK * 10, np.float32))[None, :_FRAMES]
        )

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """The first of the three by its names, a word's by its widths."""
        if {*inputs} == {"input"} and {*outputs} == {"output"}:
            return has_rank(inputs["input"], 2) and outputs["output"][-1:] == (_BANDS,)
        return len(inputs) == len(outputs) == 1 and _hears(*inputs.values(), *outputs.values())

    def names(self) -> Mapping[int, str]:
        """What its words are called."""
        return self._labels

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Row by row: the frames of a chunk are scaled by the loudest of what is heard with it."""
        sounds = Decoded(batch, self._heard)
        return sounds.answers(
            [
                classification(self.task, row, self._scores(samples), self._labels)
                for row, samples in zip(sounds.inputs, sounds.rows, strict=True)
            ]
        )

    def _heard(self, row: TaskInput) -> Samples:
        """A row's samples as 16 bits hold them, between a second of silence. Raises RowError."""
        given: Any = row  # an input of sounds
        seconds = self.task.max_row_cost / 1000
        samples = decode(given.audio[0], given.sample_rate, rate=_RATE, max_seconds=seconds)
        whole = np.pad((samples * 2**15).round().clip(-(2**15), 2**15 - 1), _SILENCE)
        # It leaves out the chunk that is not followed by another sample.
        return whole[: (len(whole) - 1) // _CHUNK * _CHUNK]

    def _scores(self, samples: Samples) -> _Floats:
        """The greatest probability of each word, (labels,). samples: whole chunks."""
        heard = [
            self._framed(samples[max(end - _CHUNK - _BEFORE, 0) : end])
            for end in range(_CHUNK, len(samples) + 1, _CHUNK)
        ]
        ends = _FRAMES + np.cumsum([len(frames) for frames in heard])
        frames = np.concatenate([np.ones((_FRAMES, _BANDS), np.float32), *heard])
        vectors = self._embedded(np.stack([frames[end - _FRAMES : end] for end in ends]))
        return np.concatenate([self._loudest(word, vectors) for word in self._words])

    def _framed(self, samples: Samples) -> _Floats:
        """Frames (n, 32) of samples, by themselves: in company they would be scaled alike."""
        frames: _Floats = self._mel.read("output", {"input": samples[None]})
        return frames.reshape(-1, _BANDS) / np.float32(10) + np.float32(2)

    def _embedded(self, windows: _Floats) -> _Floats:
        """Vectors (n, 96) of windows (n, 76, 32)."""
        parts = [windows[at : at + _TOGETHER] for at in range(0, len(windows), _TOGETHER)]
        made = [self._vectors.read("conv2d_19", {"input_1": part[..., None]}) for part in parts]
        return np.concatenate(made).reshape(-1, _WIDTH)

    def _loudest(self, word: _Word, vectors: _Floats) -> _Floats:
        """The greatest answer of a word's graph to any of the vectors with those before it."""
        whole = np.concatenate([self._quiet.repeat(word.vectors - 1, axis=0), vectors])
        last = range(_DEAF, len(vectors))
        windows = np.stack([whole[end : end + word.vectors] for end in last])
        answers = word.graph.read(word.gives, {word.takes: windows})
        found: _Floats = chances(answers[:, [*word.labels]], word.graph.path.name).max(axis=0)
        return found


def _hears(taken: Sequence[object], given: Sequence[object]) -> bool:
    """Whether axes are those of a word's graph."""
    return len(taken) == 3 and isinstance(taken[1], int) and taken[2] == _WIDTH and len(given) == 2


def _words(model: OnnxModel, main: Path) -> Iterator[_Word]:
    for path in sorted(main.parent.glob("*.onnx")):
        if path.name not in _OTHERS:
            yield _word(model.open(path.name))


def _word(graph: Graph) -> _Word:
    """Raises ModelRefused for a graph that is none of a word."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise _none(graph)
    ((takes, taken),) = graph.inputs.items()
    ((gives, given),) = graph.outputs.items()
    if not _hears(taken, given) or not isinstance(given[1], int):
        raise _none(graph)
    vectors = taken[1]
    assert isinstance(vectors, int)
    return _Word(graph, takes, gives, vectors, _called(graph.path.stem, gives, given[1]))


def _called(stem: str, output: str, count: int) -> Mapping[int, str]:
    """One word is called as its file. Of several, openWakeWord's exports name them in the name of
    their output, and leave out what is no word.
    """
    if count == 1:
        return {0: stem}
    try:
        named = json.loads(output)
        return {int(number): str(name) for number, name in named.items() if int(number) < count}
    except (ValueError, AttributeError):
        return {number: f"{stem}_{number}" for number in range(count)}


def _none(graph: Graph) -> ModelRefused:
    shapes = ", ".join(f"{name} {[*axes]}" for name, axes in (graph.inputs | graph.outputs).items())
    return ModelRefused(
        f"{graph.path}: {shapes}: beside {_MEL} and {_VECTORS} are graphs of words, which take "
        f"(B, n, {_WIDTH}) and give (B, labels); name one word's as the model parameter `file`, or "
        "keep others elsewhere"
    )
