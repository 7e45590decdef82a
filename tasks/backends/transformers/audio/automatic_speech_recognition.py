from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import AutomaticSpeechRecognitionInput, SpeechChunk
from ....base import Task, TaskInput, TaskOutput
from ...base import ModelRefused
from ...company import Company, Probe
from ...device import Device
from ...rows import Decoded
from ...sound.waveform import Samples
from ...sound.windows import Window, WindowShape
from ..tokenizer import load_processor, load_tokenizer
from .asked_speech_writer import AskedSpeechWriter
from .base import AudioBackend, Tensors
from .ctc import Ctc
from .speech_writer import SpeechWriter
from .transducer import Transducer
from .whisper import Whisper

#: Seconds of a window, unless the declaration says.
_WINDOW_S = 30.0

#: Types of models that write; of those, Whisper alone is played windows.
_WRITERS = frozenset(
    {
        *("kyutai_speech_to_text", "moonshine", "seamless_m4t", "seamless_m4t_v2"),
        *("speech-encoder-decoder", "speech_to_text", "speecht5", "whisper"),
    }
)


#: Types of language models whose processors make a request of a sound.
_ASKED = frozenset({"glmasr", "qwen3_asr"})

#: Type of a transducer -> the auto class that loads it.
_TRANSDUCERS = {"parakeet_rnnt": "AutoModelForRNNT", "parakeet_tdt": "AutoModelForTDT"}

#: Types that hear speech and are not served -> why.
_UNSERVED = {
    **dict.fromkeys(
        ("fun_asr_nano", "granite_speech", "granite_speech_plus"),
        "makes its features with torchaudio, which is not used here",
    ),
    **dict.fromkeys(
        ("voxtral", "voxtral_realtime"),
        "makes its requests with mistral-common, which is not used here",
    ),
    **dict.fromkeys(
        ("qwen2_audio", "qwen2_5_omni", "qwen3_omni_moe", "audioflamingo3"),
        "answers questions about sounds, and does not do this task",
    ),
}


class Recogniser(Protocol):
    """A kind of model: from windows of sound to tokens, and from those of one sound to text."""

    #: Samples that one token stands for; windows are cut at multiples.
    align_to: int
    #: Whether sounds are not cut into windows.
    hears_whole: bool
    #: Whether it knows when something was said.
    tells_times: bool

    def language(self, named: str | None) -> str | None:
        """What the model calls a language. Raises RowError."""

    def features(self, samples: Samples, language: str | None) -> Tensors:
        """What the model is given of a window, (1, ...) each. Raises RowError."""
        ...

    def heard(self, tensors: Tensors, languages: Sequence[str | None]) -> list[str | None]:
        """The windows' languages: what is not told is found out, if the model can."""
        ...

    def language_name(self, language: str | None) -> str | None:
        """A language in English, in small letters; None where it is not known."""
        ...

    def tokens(
        self,
        tensors: Tensors,
        windows: Sequence[Window],
        languages: Sequence[str | None],
        *,
        timestamps: bool,
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
    """What is said, by Whisper, a CTC model (wav2vec 2.0 and its kin) or another that writes.

    Whisper and CTC models are played sounds over `chunk_length_s` seconds, 30 unless told, in
    windows that overlap by a third; others hear a sound whole. Windows of all rows share forwards.
    `num_beams` is how many readings a model that writes follows at once; `max_new_tokens` how many
    tokens one that hears a sound whole writes at most, 0 for as many as its length allows.
    """

    tokenizer: Any
    _recogniser: Recogniser

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        chunk_length_s: float | None = None,
        num_beams: int = 1,
        max_new_tokens: int = 0,
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, device=device, **parameters)
        self._chunk_length_s, self._num_beams = chunk_length_s, num_beams
        self._max_new_tokens = max_new_tokens

    def load(self) -> None:
        """Find out of which kind the model is, and load it. Raises ModelRefused."""
        kind = self.read_config().model_type
        if kind in MODEL_FOR_CTC_MAPPING_NAMES:
            self.auto_class = "AutoModelForCTC"
        elif kind in _WRITERS:
            self.auto_class = "AutoModelForSpeechSeq2Seq"
        elif kind in _ASKED:
            self.auto_class = "AutoModelForMultimodalLM"
        elif kind in _TRANSDUCERS:
            self.auto_class = _TRANSDUCERS[kind]
        else:
            kinds = {*MODEL_FOR_CTC_MAPPING_NAMES, *_WRITERS, *_ASKED, *_TRANSDUCERS}
            known = ", ".join(sorted(kinds))
            why = _UNSERVED.get(kind, "does not do this task")
            raise ModelRefused(
                f"{self.source}: a model of type {kind} {why}: this task takes {known}"
            )
        super().load()

    def load_processor(self) -> None:
        """Load the feature extractor and the tokenizer."""
        super().load_processor()
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )
        self._recogniser = self._read_by()
        if self._recogniser.hears_whole:
            if self._chunk_length_s is not None:
                raise ValueError("chunk_length_s: this model hears sounds whole; use max_seconds")
            return
        seconds = _WINDOW_S if self._chunk_length_s is None else self._chunk_length_s
        self._cut = WindowShape.of(seconds, self.rate, self._recogniser.align_to)

    def _read_by(self) -> Recogniser:
        kind = self.model.config.model_type
        if kind == "whisper":
            longest = self.extractor.chunk_length
            if (self._chunk_length_s or 0) > longest:
                raise ValueError(
                    f"chunk_length_s {self._chunk_length_s}: the model hears {longest} seconds"
                )
            return Whisper(
                self.model,
                self.tokenizer,
                self.extractor,
                extract=self.extract,
                num_beams=self._num_beams,
            )
        if kind in _ASKED:
            return AskedSpeechWriter(
                self.model,
                load_processor(str(self.source), self.model.config, self._revision),
                rate=self.rate,
                num_beams=self._num_beams,
                max_new_tokens=self._max_new_tokens,
            )
        if kind in _WRITERS or kind in _TRANSDUCERS:
            writer = Transducer if kind in _TRANSDUCERS else SpeechWriter
            return writer(
                self.model,
                self.tokenizer,
                rate=self.rate,
                extract=self.extract,
                num_beams=self._num_beams,
                max_new_tokens=self._max_new_tokens,
            )
        return Ctc(self.model, self.tokenizer, rate=self.rate, extract=self.extract)

    def probe(self) -> Probe[Samples] | None:
        """None for a model that hears sounds whole: rows of equal length share a forward there."""
        if self._recogniser.hears_whole:
            self.company = self._declared or Company("equal-length")
            return None
        return super().probe()

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
        if row.return_timestamps and not self._recogniser.tells_times:
            raise RowError("return_timestamps: this model does not tell when something is said")
        language = self._recogniser.language(row.language)
        samples = self.samples(row)
        if self._recogniser.hears_whole:
            windows = [Window(0, len(samples), 0, 0)]
        else:
            windows = self._cut.windows(len(samples))
        features = [
            self._recogniser.features(samples[window.start : window.stop], language)
            for window in windows
        ]
        return Heard(windows, features, language)

    def _written(self, rows: Sequence[Heard], *, timestamps: bool) -> list[Transcript]:
        """What came of all windows of all rows, in order."""
        features = [tensors for row in rows for tensors in row.features]
        told = [row.language for row in rows for _ in row.windows]
        windows = [window for row in rows for window in row.windows]
        found: dict[int, Transcript] = {}
        for positions, tensors in self.batches(features):
            languages = [told[i] for i in positions]
            with self.forward():
                moved = self.to_device(tensors)
                if timestamps:  # whoever wants the times wants to know the language too
                    languages = self._recogniser.heard(moved, languages)
                own = [windows[i] for i in positions]
                tokens = self._recogniser.tokens(moved, own, languages, timestamps=timestamps)
            found.update(zip(positions, map(Transcript, tokens, languages), strict=True))
        return [found[i] for i in range(len(features))]
