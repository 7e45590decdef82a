"""Dialect whisper-encoder-decoder: encoder_model.onnx, input_features (B, mels, frames) ->
last_hidden_state (B, T, D), and decoder_model.onnx.

decoder_model.onnx: input_ids (B, t), encoder_hidden_states (B, T, D) -> logits (B, t, vocabulary).
decoder_with_past_model.onnx, or decoder_model_merged.onnx alone, makes it quicker: ..decoder.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import AutomaticSpeechRecognitionInput, SpeechChunk
from ....base import Task, TaskInput, TaskOutput
from ...rows import Decoded
from ...sound.waveform import Samples, decode
from ...sound.windows import WindowShape
from ..adapter import Adapter
from ..decoder import Decoder
from ..graph import Shapes, needs
from ..joining import joined
from ..mel import log_mel
from ..model import OnnxModel
from ..speech_decoder import SpeechDecoder
from ..speech_rules import SpeechRules

_Floats = NDArray[np.float32]

#: Windows that one run takes.
_MAX_ROWS = 16


class _Heard(NamedTuple):
    samples: Samples
    language: int | None


class _Decoded(NamedTuple):
    """What a piece says, in tokens, and its language's token; None where a model knows but one."""

    tokens: list[int]
    language: int | None


class _Text(NamedTuple):
    """What a sound says: all of it, sentence by sentence, and in which language's token."""

    text: str
    chunks: list[SpeechChunk] | None = None
    language: int | None = None


class _Piece(NamedTuple):
    """What one run of the decoder hears: a picture (mels, frames) and the language's token."""

    picture: _Floats
    language: int | None


class WhisperEncoderDecoder(Adapter):
    """Whisper. Sounds over `chunk_length_s` seconds, 30 at most, are heard in windows that overlap;
    for timestamps in windows of 30 s, each from where the last sentence of the one before ended.
    """

    dialect: ClassVar[str] = "whisper-encoder-decoder"
    tasks: ClassVar[tuple[str, ...]] = ("automatic-speech-recognition",)

    def __init__(self, task: Task, model: OnnxModel, *, chunk_length_s: float = 30.0) -> None:
        super().__init__(task, model)
        is_encoder = self.graph.path.name.startswith("encoder_model")
        self.encoder = self.graph if is_encoder else model.open("encoder_model.onnx")
        needs(self.encoder, {"input_features"}, "last_hidden_state")
        self.rules = SpeechRules.read(model.read_json("generation_config.json"), model.config)
        self.decoder = SpeechDecoder(Decoder.beside_an_encoder(model), self.rules)
        self.tokenizer = model.tokenizer()
        self._special = {
            number
            for number, token in self.tokenizer.get_added_tokens_decoder().items()
            if token.special
        }
        heard = model.read_json("preprocessor_config.json")
        heard = heard or model.read_json("processor_config.json").get("feature_extractor") or {}
        self.rate = int(heard.get("sampling_rate") or 16_000)
        self._spectrum = {
            "mels": int(heard.get("feature_size") or 80),
            "rate": self.rate,
            "n_fft": int(heard.get("n_fft") or 400),
            "hop": int(heard.get("hop_length") or 160),
        }
        self._seconds = float(heard.get("chunk_length") or 30)
        self._frames = int(self._seconds * self.rate) // self._spectrum["hop"]
        if chunk_length_s > self._seconds:
            raise ValueError(
                f"chunk_length_s {chunk_length_s}: the model hears {self._seconds} seconds at once"
            )
        self._cut = WindowShape.of(chunk_length_s, self.rate)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:
        """By the configuration, or by the encoder's names."""
        encoder = "input_features" in inputs and "last_hidden_state" in outputs
        return config.get("model_type") == "whisper" or encoder

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Windows of all readable rows share runs."""
        rows = Decoded(batch, self._hear)
        timed = any(row.return_timestamps for row in rows.inputs)  # type: ignore[attr-defined] # its own Input
        texts = (self._timed if timed else self._without_times)(rows.rows)
        return rows.answers(
            [self._answer(heard, text) for heard, text in zip(rows.rows, texts, strict=True)]
        )

    def _hear(self, row: TaskInput) -> _Heard:
        assert isinstance(row, AutomaticSpeechRecognitionInput)
        samples = decode(
            row.audio[0],
            row.sample_rate,
            rate=self.rate,
            max_seconds=self.task.max_row_cost / 1000,
        )
        return _Heard(samples, self.rules.language(row.language))

    def _answer(self, heard: _Heard, said: _Text) -> TaskOutput:
        answer: dict[str, list[Any]] = {"texts": [said.text], "chunks": [said.chunks]}
        if said.chunks is not None:  # asked for alike in all rows: the task groups by it
            answer["durations"] = [len(heard.samples) / self.rate]
            answer["languages"] = [self.rules.language_name(said.language)]
        return self.task.output.model_validate(answer)

    def _without_times(self, rows: Sequence[_Heard]) -> list[_Text]:
        """The text of windows that overlap, joined where their tokens agree."""
        pieces, counts = [], []
        for heard in rows:
            windows = self._cut.windows(len(heard.samples))
            counts.append(len(windows))
            pieces += [
                _Piece(self._picture(heard.samples[w.start : w.stop]), heard.language)
                for w in windows
            ]
        said = self._decode(pieces, timed=False)
        texts: list[_Text] = []
        for count in counts:
            own, said = said[:count], said[count:]
            words = [self._words(piece.tokens) for piece in own]
            texts.append(_Text(self._text(joined(words))))
        return texts

    def _timed(self, rows: Sequence[_Heard]) -> list[_Text]:
        """Sentences with their times: a window each of all unfinished rows in turn."""
        pictures = [self._picture(heard.samples) for heard in rows]
        at = [0] * len(rows)
        chunks: list[list[SpeechChunk]] = [[] for _ in rows]
        languages = [heard.language for heard in rows]  # told, or those of the first windows
        while left := [i for i, picture in enumerate(pictures) if at[i] < picture.shape[1]]:
            pieces = [
                _Piece(self._padded(pictures[i][:, at[i] : at[i] + self._frames]), languages[i])
                for i in left
            ]
            for i, said in zip(left, self._decode(pieces, timed=True), strict=True):
                languages[i], seconds = said.language, len(rows[i].samples) / self.rate
                found, frames = self._sentences(said.tokens, at[i], seconds)
                chunks[i] += found
                at[i] += frames
        return [
            _Text("".join(chunk.text for chunk in row), row, language)
            for row, language in zip(chunks, languages, strict=True)
        ]

    def _sentences(
        self, tokens: Sequence[int], at: int, seconds: float
    ) -> tuple[list[SpeechChunk], int]:
        """The sentences of a window that begins at a frame, and how many frames they cover: what
        follows the last pair of timestamps was cut off, and is heard again in the next window.
        """
        first, hop = self.rules.first_time, self._spectrum["hop"]
        per_time = self._seconds / (self.model.config.get("max_source_positions") or 1500)
        begin = at * hop / self.rate
        times = [token >= first for token in tokens]
        ends = [i + 1 for i in range(len(tokens) - 1) if times[i] and times[i + 1]]
        covered = self._frames
        if ends and times[-2:] == [False, True]:
            ends.append(len(tokens))  # silence follows
        elif ends:
            covered = max(1, round((tokens[ends[-1] - 1] - first) * per_time * self.rate / hop))
        found = []
        for start, stop in itertools.pairwise([0, *(ends or [len(tokens)])]):
            part = tokens[start:stop]
            told = [(t - first) * per_time for t in part if t >= first]
            both = (told[0], told[-1]) if ends else self._unpaired(told, seconds)
            if words := self._words(part):
                # Nothing is said after the sound's end.
                opens, closes = (min(round(begin + time, 2), seconds) for time in both)
                found.append(SpeechChunk(text=self._text(words), start=opens, end=closes))
        return found, covered

    def _unpaired(self, told: Sequence[float], seconds: float) -> tuple[float, float]:
        """From when to when a window lasts that is one sentence, with the times that it tells.

        As transformers has it: one that is a whole sound from the first of them, one of several
        from its beginning to the last, unless that is the beginning itself.
        """
        if seconds > self._seconds:
            return 0.0, (told[-1] if told else 0.0) or self._seconds
        return (told[0] if told else 0.0), (told[-1] if len(told) > 1 else self._seconds)

    def _picture(self, samples: Samples) -> _Floats:
        """(mels, frames), silence after a sound that is shorter than a window."""
        least = self._frames * self._spectrum["hop"]
        return log_mel(np.pad(samples, (0, max(0, least - len(samples)))), **self._spectrum)

    def _padded(self, picture: _Floats) -> _Floats:
        return np.pad(picture, ((0, 0), (0, self._frames - picture.shape[1])))

    def _words(self, tokens: Sequence[int]) -> list[int]:
        return [t for t in tokens if t < self.rules.first_time and t not in self._special]

    def _text(self, tokens: list[int]) -> str:
        text: str = self.tokenizer.decode(tokens)
        return text

    def _decode(self, pieces: Sequence[_Piece], *, timed: bool) -> list[_Decoded]:
        """The likeliest tokens of each piece, and the likeliest language where none was told."""
        said: list[_Decoded] = []
        for start in range(0, len(pieces), _MAX_ROWS):
            part = pieces[start : start + _MAX_ROWS]
            pictures = np.stack([piece.picture for piece in part])
            hidden = self.encoder.read("last_hidden_state", {"input_features": pictures})
            languages = self._languages(hidden, [piece.language for piece in part])
            prompts = [self.rules.prompt(language, timed=timed) for language in languages]
            spoken = self.decoder.speak(hidden, prompts, timed=timed)
            said += map(_Decoded, spoken, languages)
        return said

    def _languages(self, hidden: _Floats, languages: Sequence[int | None]) -> list[int | None]:
        told = list(languages)
        unknown = [i for i, language in enumerate(told) if language is None]
        if unknown and self.rules.languages:
            start = np.full((len(unknown), 1), self.rules.start, dtype=np.int64)
            numbers = np.array(sorted(self.rules.languages.values()))
            logits = self.decoder.logits(hidden[unknown], start)[:, numbers]
            for i, best in zip(unknown, logits.argmax(axis=1), strict=True):
                told[i] = int(numbers[best])
        return told
