"""Dialect wav2vec2-ctc: input_values (B, samples) -> logits (B, T, letters), one of them a blank.

Connectionist temporal classification (Graves et al., 2006): equal letters that follow each other
are one, and blanks part those that are two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import SpeechChunk
from ....base import Task, TaskInput, TaskOutput
from ...company import Company, Probe
from ...rows import Decoded
from ...sound.waveform import Samples
from ...sound.windows import Window, WindowShape
from ..adapter import Adapter, has_rank
from ..graph import Shapes
from ..model import OnnxModel
from ..sounds import Listener


class _Letter(NamedTuple):
    text: str
    start: int  # in outputs
    stop: int


class Wav2vec2Ctc(Adapter):
    """Letters of a sound; those over `chunk_length_s` seconds are heard in windows that overlap."""

    dialect: ClassVar[str] = "wav2vec2-ctc"
    tasks: ClassVar[tuple[str, ...]] = ("automatic-speech-recognition",)
    takes: ClassVar[tuple[str, ...]] = ("input_values", "attention_mask")
    reads: ClassVar[tuple[str, ...]] = ("logits",)

    def __init__(self, task: Task, model: OnnxModel, *, chunk_length_s: float = 30.0) -> None:
        super().__init__(task, model)
        self.listener = Listener.read(task, model)
        if not self.listener.pads:
            self.company = Company("equal-length")
        told = model.read_json("tokenizer_config.json")
        self.letters = _letters(model, told.get("target_lang"))
        blank = {text: number for number, text in self.letters.items()}.get(
            _text(told.get("pad_token")) or "<pad>"
        )
        self.blank: int = model.config.get("pad_token_id") or 0 if blank is None else blank
        self.delimiter = _text(told.get("word_delimiter_token")) or "|"
        self.small = bool(told.get("do_lower_case"))
        self._cut = WindowShape.of(chunk_length_s, self.listener.rate, self.listener.per_output)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names; labels of a whole sound have two axes."""
        return (
            {*inputs} - {"attention_mask"} == {"input_values"}
            and "logits" in outputs
            and has_rank(outputs["logits"], 3)
        )

    def probe(self) -> Probe[Samples] | None:
        """As sounds are tried."""
        return self.listener.probe(self.graph)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Windows of all readable rows share runs."""
        rows = Decoded(batch, self.listener.heard)
        windows = [self._cut.windows(len(samples)) for samples in rows.rows]
        pieces: list[Samples] = [
            samples[window.start : window.stop]
            for samples, own in zip(rows.rows, windows, strict=True)
            for window in own
        ]
        logits = iter(self.listener.logits(self.graph, pieces, self.company.batching))
        answers = []
        for row, own in zip(rows.inputs, windows, strict=True):
            best = [self._own_part(next(logits).argmax(axis=-1), window) for window in own]
            answers.append(self._answer(row, np.concatenate(best), own[-1].stop))
        return rows.answers(answers)

    def _own_part(self, best: NDArray[np.int64], window: Window) -> NDArray[np.int64]:
        """The outputs of a window without its context, and without padding."""
        whole = round(window.length / self.listener.per_output)
        left, right = (round(n / window.length * whole) for n in (window.left, window.right))
        return best[left : min(whole - right, self.listener.outputs(window.length))]

    def _answer(self, row: TaskInput, best: NDArray[np.int64], samples: int) -> TaskOutput:
        said = self._letters_of(best)
        text = "".join(letter.text for letter in said).strip()
        chunks = duration = None
        if getattr(row, "return_timestamps", False):
            seconds = self.listener.per_output / self.listener.rate
            chunks = [
                SpeechChunk(
                    text="".join(letter.text for letter in word),
                    start=word[0].start * seconds,
                    end=word[-1].stop * seconds,
                )
                for word in _words(said)
            ]
            duration = samples / self.listener.rate
        text = text.lower() if self.small else text
        return self.task.output.model_validate(
            {"texts": [text], "chunks": [chunks], "durations": [duration]}
        )

    def _letters_of(self, best: NDArray[np.int64]) -> list[_Letter]:
        said, at = [], 0
        for number, run in groupby(best.tolist()):
            length = len(list(run))
            if number != self.blank:
                text = self.letters.get(number, "")
                said.append(_Letter(" " if text == self.delimiter else text, at, at + length))
            at += length
        return said


def _words(said: Sequence[_Letter]) -> list[list[_Letter]]:
    parts = groupby(said, key=lambda letter: letter.text == " ")
    return [list(word) for is_space, word in parts if not is_space]


def _letters(model: OnnxModel, language: str | None) -> dict[int, str]:
    """Number -> letter, of vocab.json or tokenizer.json; those of many languages have one each."""
    named = model.read_json("vocab.json")
    if not named:
        named = model.tokenizer().get_vocab(with_added_tokens=True)
    elif all(isinstance(letters, dict) for letters in named.values()):
        named = named.get(language or "eng") or next(iter(named.values()))
    return {number: letter for letter, number in {**named, **_added(model)}.items()}


def _added(model: OnnxModel) -> dict[str, int]:
    added = model.read_json("added_tokens.json")
    return {text: number for text, number in added.items() if isinstance(number, int)}


def _text(token: Any) -> str | None:  # a string, or a token's own description
    return token.get("content") if isinstance(token, dict) else token
