"""Audio classification. OIP: audio BYTES [n] -> label BYTES [n, k], score FP32 [n, k].

The package silero-vad brings a trained model for ONNX Runtime: `package:silero_vad/data`. Its
labels are speech and no_speech, for the quarter of a second that is most like speech. Tests have it
tell speech from noise and music; their wav2vec 2.0 has random weights, and proves parity with
transformers.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..labels import LABEL, SCORE, ClassificationResult, LabelsOutput
from ..samples import PCM, SAMPLE_RATE
from .sounds import SoundsInput

#: Seconds of one sound, at most: models look at all of it at once.
MAX_SECONDS = 300


class AudioClassificationInput(SoundsInput):
    """Sounds to classify."""

    top_k: int = Field(default=5, ge=1, description="Most labels to answer per sound.")


class AudioClassificationOutput(LabelsOutput):
    """Per sound, the likeliest labels first."""


TASK = Task(
    name="audio-classification",
    family="audio",
    title="Audio classification",
    description="Names what a sound is, with a probability per label.",
    input=AudioClassificationInput,
    output=AudioClassificationOutput,
    outputs=(LABEL, SCORE),
    default_model="superb/wav2vec2-base-superb-ks",
    max_row_cost=MAX_SECONDS * 1000,
    widget=Widget(("audio",), "labels"),
    aliases=Aliases(huggingface=("audio-classification",)),
    example=Example(
        AudioClassificationInput(audio=[PCM], sample_rate=SAMPLE_RATE, top_k=2),
        AudioClassificationOutput(
            results=[
                [
                    ClassificationResult(label="silence", score=0.875),
                    ClassificationResult(label="wind", score=0.125),
                ]
            ]
        ),
    ),
)
