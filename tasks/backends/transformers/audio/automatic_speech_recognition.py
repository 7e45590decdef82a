from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import AutomaticSpeechRecognitionInput, SpeechChunk
from ....base import Task, TaskInput, TaskOutput
from ...device import Device
from ...rows import Decoded
from ...sound.windows import Window, WindowShape
from ..tokenizer import load_tokenizer
from .base import AudioBackend, Tensors
from .ctc import Ctc
from .whisper import Whisper


class Recogniser(Protocol):
    """A kind of model: from windows of sound to tokens, and from those of one sound to text."""

    #: Samples that one token stands for; windows are cut at multiples.
    align_to: int

    def language(self, named: str | None) -> str | None:
        """What the model calls a language. Raises RowError."""

    def heard(self, tensors: Tensors, languages: Sequence[str | None]) -> list[str | None]:
        """The windows' languages: what is not told is found out, if the model can."""
        ...

    def language_name(self, language: str | None) -> str | None:
        """A language in English, in small letters; None where it is not known."""
        ...

    def tokens(
        self, tensors: Tensors, languages: Sequence[str | None], *, timestamps: bool
    ) -> list[torch.Tensor]:
        """Run the model; tokens (T,) a window."""
        ...

    def read(
        self, tokens: Sequence[torch.Tensor], windows: Sequence[Window], *, timestamps: bool
    ) -> tuple[str, list[SpeechChunk] | None]:
        """The text of a sound's windows, and its parts with their times."""
        ...


class Heard(NamedTuple):
    """A row's sound: its windows, what the extractor made of each, and the language told."""

    windows: list[Window]
    features: list[Tensors]
    language: str | None


class Transcript(NamedTuple):
    """A window's tokens, and its language as its model names it."""

    tokens: torch.Tensor
    language: str | None


class Recognition(AudioBackend):
    """What is said, by Whisper or a CTC model (wav2vec 2.0 and its kin).

    Sounds over `chunk_length_s` seconds are cut into windows that overlap by a third. Windows of
    all rows share forwards. `num_beams` is how many readings Whisper follows at once.
    """

    tokenizer: Any
    _recogniser: Recogniser

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        chunk_length_s: float = 30.0,
        num_beams: int = 1,
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, device=device, **parameters)
        self._chunk_length_s, self._num_beams = chunk_length_s, num_beams

    def load(self) -> None:
        """Find out of which kind the model is, and load it."""
        config = self.read_config()
        is_whisper = config.model_type == "whisper"
        self.auto_class = "AutoModelForSpeechSeq2Seq" if is_whisper else "AutoModelForCTC"
        super().load()

    def load_processor(self) -> None:
        """Load the feature extractor and the tokenizer."""
        super().load_processor()
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )
        if self.model.config.model_type == "whisper":
            longest = self.extractor.chunk_length
            if self._chunk_length_s > longest:
                raise ValueError(
                    f"chunk_length_s {self._chunk_length_s}: the model hears {longest} seconds"
                )
            self._recogniser = Whisper(
                self.model, self.tokenizer, self.extractor, num_beams=self._num_beams
            )
        else:
            self._recogniser = Ctc(self.model, self.tokenizer, rate=self.rate, extract=self.extract)
        self._cut = WindowShape.of(self._chunk_length_s, self.rate, self._recogniser.align_to)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward (CTC) or generate (Whisper) for the windows of all readable rows."""
        decoded = Decoded(batch, self._hear)
        # Alike in all rows: the task groups by it.
        timestamps = any(getattr(row, "return_timestamps", False) for row in decoded.inputs)
        written = iter(self._written(decoded.rows, timestamps=timestamps))
        answers = []
        for heard in decoded.rows:
            own = [next(written) for _ in heard.windows]
            tokens = [window.tokens for window in own]
            text, chunks = self._recogniser.read(tokens, heard.windows, timestamps=timestamps)
            row: dict[str, list[Any]] = {"texts": [text], "chunks": [chunks]}
            if timestamps:
                row["durations"] = [heard.windows[-1].stop / self.rate]
                row["languages"] = [self._recogniser.language_name(own[0].language)]
            answers.append(self.task.output.model_validate(row))
        return decoded.answers(answers)

    def close(self) -> None:
        """Drop the model, and what reads with it."""
        vars(self).pop("_recogniser", None)
        super().close()

    def _hear(self, row: TaskInput) -> Heard:
        assert isinstance(row, AutomaticSpeechRecognitionInput)
        language = self._recogniser.language(row.language)
        samples = self.samples(row)
        windows = self._cut.windows(len(samples))
        features = [self.extract(samples[window.start : window.stop]) for window in windows]
        return Heard(windows, features, language)

    def _written(self, rows: Sequence[Heard], *, timestamps: bool) -> list[Transcript]:
        """What came of all windows of all rows, in order."""
        features = [tensors for row in rows for tensors in row.features]
        told = [row.language for row in rows for _ in row.windows]
        found: dict[int, Transcript] = {}
        for positions, tensors in self.batches(features):
            languages = [told[i] for i in positions]
            with self.forward():
                moved = self.to_device(tensors)
                if timestamps:  # whoever wants the times wants to know the language too
                    languages = self._recogniser.heard(moved, languages)
                tokens = self._recogniser.tokens(moved, languages, timestamps=timestamps)
            found.update(zip(positions, map(Transcript, tokens, languages), strict=True))
        return [found[i] for i in range(len(features))]
