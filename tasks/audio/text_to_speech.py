"""Text to speech. OIP: text BYTES [n] -> audio BYTES [n] (WAV files), sample_rate INT32 [n].

VITS, MMS, Bark, CSM and FastSpeech2 Conformer (with its HiFi-GAN) speak over Transformers, VITS and
MMS as graphs over ONNX Runtime too. So do, over Transformers, SpeechT5, with the model parameters
`vocoder` (a folder of a SpeechT5HifiGan) and `speakers` (a .npy file with an x-vector a row), and
SeamlessM4T with `language`, what its texts are in, and `spoken`, what it says if that is another.
A speaker is a row of `speakers`, or Bark's voice preset, in the order of its folder. FastSpeech2's
tokenizer needs the package g2p_en.
The package hibari-tts brings an English voice of 24 kHz, for ONNX Runtime: without a source, or as
`package:hibari/assets`. It has one speaker, and its graph takes one row at a time: a batch's rows
run one by one.
Tests hold that voice to its words, which a trained Whisper reads back; those of
transformers have random weights, and prove parity with it.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..samples import SAMPLE_RATE, TEXT, WAV
from ..text.texts import TextsInput
from .sounds import AUDIO, RATE, SoundsOutput

#: Tokens of one text, at most: some minutes of speech.
MAX_TOKENS = 1_000


class TextToSpeechInput(TextsInput):
    """Texts to speak."""

    speaker: int | None = Field(
        default=None, ge=0, description="Whose voice, of models that have several."
    )
    speed: float | None = Field(
        default=None, ge=0.25, le=4, description="2 speaks twice as fast; None as the model does."
    )
    seed: int = Field(
        default=0, ge=0, le=2**63 - 1, description="Another one makes another reading."
    )


class TextToSpeechOutput(SoundsOutput):
    """Per text, a WAV file of one channel and 16 bits, and its samples per second."""


TASK = Task(
    name="text-to-speech",
    family="audio",
    title="Text to speech",
    description="Speaks texts: a WAV file for each.",
    input=TextToSpeechInput,
    output=TextToSpeechOutput,
    outputs=(AUDIO, RATE),
    default_model="facebook/mms-tts-eng",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text",), "audio"),
    aliases=Aliases(huggingface=("text-to-speech",)),
    example=Example(
        TextToSpeechInput(texts=[TEXT], seed=7),
        TextToSpeechOutput(audio=[WAV], sample_rates=[SAMPLE_RATE]),
    ),
)
