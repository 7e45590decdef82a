"""Zero-shot audio classification. OIP: audio BYTES [n], candidate_labels BYTES [L] -> label, score.

label BYTES and score FP32 are [n, L], the likeliest first (CLAP, Wu et al., 2023). Rows of one
batch may have labels of their own: the model sees each label once.

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..labels import LABEL, SCORE, ClassificationResult, LabelsOutput
from ..samples import PCM, SAMPLE_RATE
from ..tensors import TensorSpec
from ..text.texts import BoundedInput
from ..text.zero_shot_classification import CANDIDATE_LABELS
from .audio_classification import MAX_SECONDS
from .sounds import AUDIO, SoundsInput


class ZeroShotAudioClassificationInput(SoundsInput, BoundedInput):
    """Sounds to classify, and the labels to choose from, the same for all of them."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (AUDIO, CANDIDATE_LABELS)

    candidate_labels: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, max_length=1000, description="Labels to choose from, for all rows."
    )
    hypothesis_template: str = Field(
        default="This is a sound of {}.",
        max_length=1000,
        pattern=r"\{\}",
        description="The sentence that a label is put into, at its {}.",
    )


class ZeroShotAudioClassificationOutput(LabelsOutput):
    """Per sound, all candidate labels, the likeliest first."""


TASK = Task(
    name="zero-shot-audio-classification",
    family="audio",
    title="Zero-shot audio classification",
    description="Tells which of the labels that you give fits a sound best.",
    input=ZeroShotAudioClassificationInput,
    output=ZeroShotAudioClassificationOutput,
    outputs=(LABEL, SCORE),
    default_model="laion/clap-htsat-fused",
    max_row_cost=MAX_SECONDS * 1000,
    widget=Widget(("audio", "labels"), "labels"),
    aliases=Aliases(huggingface=("zero-shot-audio-classification",)),
    example=Example(
        ZeroShotAudioClassificationInput(
            audio=[PCM], sample_rate=SAMPLE_RATE, candidate_labels=["gulls", "rain"]
        ),
        ZeroShotAudioClassificationOutput(
            results=[
                [
                    ClassificationResult(label="rain", score=0.875),
                    ClassificationResult(label="gulls", score=0.125),
                ]
            ]
        ),
    ),
)
