from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import TaskInput, TaskOutput
from ..tensors import TensorSpec, column, values_of

AUDIO = TensorSpec("audio", Datatype.BYTES, (-1,), "audio", "audio")
RATE = TensorSpec("sample_rate", Datatype.INT32, (-1,), "sample_rates")

#: Samples per second that a sound may have.
MIN_RATE, MAX_RATE = 1_000, 768_000


class SoundsInput(TaskInput):
    """A batch of sounds: raw samples, or files; docs/media.md has the formats.

    Files say their own rate, so `sample_rate` is for raw samples alone.
    """

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (AUDIO,)
    ROWS: ClassVar[tuple[str, ...]] = ("audio",)

    audio: list[bytes] = Field(
        min_length=1,
        description="Sounds, one a row: raw little-endian float32 samples of one channel, "
        "or WAV, FLAC, OGG, MP3, AIFF, AU and CAF files; with the extra `media` also M4A, MP4, "
        "MOV, WebM, 3GP, WMA, AAC, AMR and what else holds sound, films too.",
    )
    sample_rate: int | None = Field(
        default=None,
        ge=MIN_RATE,
        le=MAX_RATE,
        description="Samples per second of raw samples; files need none.",
    )


class SoundsOutput(TaskOutput):
    """Per row, a WAV file of 16 bits, and its samples per second."""

    ROWS: ClassVar[tuple[str, ...]] = ("audio", "sample_rates")

    audio: list[bytes]
    sample_rates: list[int]

    @classmethod
    def empty(cls) -> Self:
        """No sound."""
        return cls(audio=[b""], sample_rates=[0])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """Audio and sample_rate."""
        outputs = [column(AUDIO, self.audio), column(RATE, self.sample_rates)]
        return v2.InferenceResponse.of(model_name, outputs)

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read audio and sample_rate."""
        return cls(audio=values_of(AUDIO, response), sample_rates=values_of(RATE, response))
