from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ...protocol.datatypes import Datatype
from ..base import TaskInput
from ..tensors import TensorSpec

AUDIO = TensorSpec("audio", Datatype.BYTES, (-1,), "audio", "audio")

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
