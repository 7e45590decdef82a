"""Text to audio. OIP: text BYTES [n] -> audio BYTES [n] (WAV files), sample_rate INT32 [n].

Music and sounds after a description (MusicGen, Copet et al., 2023; mono and stereo). MusicGen
Melody plays by the text alone: there is no tensor for a melody.
Every text draws from the same seed, alone or in company.

The tests' models have random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ..base import Aliases, Example, Task, Widget
from ..samples import SAMPLE_RATE, WAV
from ..text.generation import Temperature
from ..text.texts import TextsInput
from .sounds import AUDIO, RATE, SoundsOutput

#: Tokens of one text, at most.
_MAX_TOKENS = 1_000
#: MusicGen learned the places of half a minute: 50 frames a second, and the codebooks' delay.
_MAX_FRAMES, _MAX_SECONDS = 1_503, 30


class TextToAudioInput(TextsInput):
    """Descriptions of what is to be heard."""

    duration: float | None = Field(
        default=None, ge=0.1, le=_MAX_SECONDS, description="Seconds of sound, exactly."
    )
    max_new_tokens: int | None = Field(
        default=None,
        ge=1,
        le=_MAX_FRAMES,
        description="Frames to make, instead of a duration; with neither, 256: 5 s of a MusicGen.",
    )
    guidance_scale: float | None = Field(
        default=None,
        ge=1,
        le=100,
        description="How closely to follow the text; 1 is off, None as the model has it.",
    )
    do_sample: bool | None = Field(
        default=None,
        description="Draw by chance instead of taking the likeliest; None as the model does.",
    )
    temperature: Temperature = None
    top_k: int | None = Field(
        default=None, ge=0, description="Draw from this many of the likeliest codes; 0 for all."
    )
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="Another one makes another sound.")

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.duration is not None and self.max_new_tokens is not None:
            raise ValueError("duration, max_new_tokens: expected one of them")
        return self


class TextToAudioOutput(SoundsOutput):
    """Per text, a WAV file of 16 bits, and its samples per second."""


TASK = Task(
    name="text-to-audio",
    family="audio",
    title="Text to audio",
    description="Makes music and sounds of descriptions: a WAV file for each.",
    input=TextToAudioInput,
    output=TextToAudioOutput,
    outputs=(AUDIO, RATE),
    default_model="facebook/musicgen-small",
    max_row_cost=_MAX_TOKENS,
    widget=Widget(("text",), "audio"),
    aliases=Aliases(huggingface=("text-to-audio",)),
    example=Example(
        TextToAudioInput(texts=["waves on a quay"], max_new_tokens=16, seed=7),
        TextToAudioOutput(audio=[WAV], sample_rates=[SAMPLE_RATE]),
    ),
)
