"""Text about sounds. OIP: audio BYTES [n], text BYTES [n] or [1] -> text BYTES [n].

Each text is what a user says beside the sound, in the model's chat template (Qwen2-Audio, Audio
Flamingo 3, Music Flamingo). An empty sound is none: the row is a text alone.
A sound longer than the model hears fails its row; it is never cut in silence.
The tests' models have random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from typing import ClassVar

from ..audio.sounds import AUDIO, SoundsInput
from ..base import Aliases, Example, Task, Widget
from ..samples import PCM, SAMPLE_RATE
from ..tensors import TensorSpec
from ..text.generation import OF_ONE_SIZE
from ..text.texts import TEXT
from .asked import OWN, AskedInput
from .written import WRITTEN, WrittenOutput

#: Seconds of one sound, at most: Music Flamingo hears twenty minutes.
_MAX_SECONDS = 1_200


class AudioTextToTextInput(AskedInput, SoundsInput):
    """Sounds, and a text to answer beside each; one text serves all sounds."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (AUDIO, TEXT)
    ROWS: ClassVar[tuple[str, ...]] = ("audio", "texts")


class AudioTextToTextOutput(WrittenOutput):
    """Per sound, the text written."""


TASK = Task(
    name="audio-text-to-text",
    family="multimodal",
    title="Text from audio and text",
    description="Answers a text beside a sound in free words, as audio language models do.",
    input=AudioTextToTextInput,
    output=AudioTextToTextOutput,
    outputs=(WRITTEN,),
    default_model="Qwen/Qwen2-Audio-7B-Instruct",
    max_row_cost=_MAX_SECONDS * 1000,
    widget=Widget(("audio", "text"), "text"),
    aliases=Aliases(huggingface=("audio-text-to-text",)),
    own=OWN,
    of_one_size=OF_ONE_SIZE,
    example=Example(
        AudioTextToTextInput(audio=[PCM], sample_rate=SAMPLE_RATE, texts=["What is this?"]),
        AudioTextToTextOutput(texts=["Wind in the rigging."]),
    ),
)
