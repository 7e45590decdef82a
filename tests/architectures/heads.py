"""What is tried: each head that a task wants of a model, for each type that transformers lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from transformers.models.auto import modeling_auto as listed

#: What builds a head's models: a tokenizer beside it, an image processor, and so on.
Reads = Literal[
    "text",
    "pictures",
    "pictures and words",
    "pictures and text",
    "videos",
    "sound",
    "speech",
    "other",
]

LABELS = ("cat", "dog", "car")
_NLI = ("contradiction", "neutral", "entailment")


@dataclass(frozen=True, kw_only=True)
class Head:
    """A class of transformers, the tasks that are done with it, and the types that it takes."""

    name: str
    auto_class: str
    tasks: tuple[str, ...]
    kinds: tuple[str, ...]
    reads: Reads
    labels: tuple[str, ...] = LABELS


def _kinds(*mappings: str) -> tuple[str, ...]:
    """The types of transformers' mappings of these names."""
    found = [getattr(listed, f"MODEL_FOR_{name}_MAPPING_NAMES") for name in mappings]
    return tuple(sorted({kind for mapping in found for kind in mapping}))


#: Types that read text alone, of which AutoModel makes vectors.
_WRITERS = ("CAUSAL_LM", "MASKED_LM", "SEQ_TO_SEQ_CAUSAL_LM", "SEQUENCE_CLASSIFICATION")
_ENCODERS = tuple(
    sorted({*_kinds(*_WRITERS), *_kinds("TEXT_ENCODING")} & {*listed.MODEL_MAPPING_NAMES})
)


#: Classes that hear speech, and their mappings.
_HEARERS = {
    "CTC": "CTC",
    "SpeechSeq2Seq": "SPEECH_SEQ_2_SEQ",
    "TDT": "TDT",
    "RNNT": "RNNT",
}

#: Types that are asked about a sound: transformers lists them among those of several kinds of
#: content, but for Audio Flamingo's, which are with those of two texts.
_LISTENERS = tuple(
    sorted(
        {"audioflamingo3", "musicflamingo"}
        | {*_kinds("MULTIMODAL_LM")} - {*_kinds("IMAGE_TEXT_TO_TEXT")}
    )
)

#: Heads of few types: name, class, task, mapping.
_OTHERS = (
    ("tables", "TableQuestionAnswering", "table-question-answering", "TABLE_QUESTION_ANSWERING"),
    (
        *("pages", "DocumentQuestionAnswering"),
        *("document-question-answering", "DOCUMENT_QUESTION_ANSWERING"),
    ),
    (
        *("questions", "VisualQuestionAnswering"),
        *("visual-question-answering", "VISUAL_QUESTION_ANSWERING"),
    ),
    ("masks", "MaskGeneration", "mask-generation", "MASK_GENERATION"),
    ("poses", "PoseEstimation", "keypoint-detection", "POSE_ESTIMATION"),
    ("captions", "ImageTextToText", "image-to-text", "IMAGE_TEXT_TO_TEXT"),
    ("players", "TextToWaveform", "text-to-audio", "TEXT_TO_WAVEFORM"),
    ("series", "TimeSeriesPrediction", "time-series-forecasting", "TIME_SERIES_PREDICTION"),
    ("speakers", "TextToWaveform", "text-to-speech", "TEXT_TO_WAVEFORM"),
)


#: Types with a space for pictures and words, beside those that transformers lists for labels.
_SPACES = ("aimv2", "flava", "groupvit", "owlv2", "owlvit", "vision-text-dual-encoder")


def _segmenters() -> dict[str, tuple[str, ...]]:
    """Types of each kind of segmentation; those of several have the first."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in ("universal", "instance", "semantic", "image"):
        known = {name for names in found.values() for name in names}
        found[kind] = tuple(n for n in _kinds(f"{kind.upper()}_SEGMENTATION") if n not in known)
    return found


HEADS: tuple[Head, ...] = (
    Head(
        name="sequence classification",
        auto_class="AutoModelForSequenceClassification",
        tasks=("text-classification", "zero-shot-classification"),
        kinds=_kinds("SEQUENCE_CLASSIFICATION"),
        reads="text",
        labels=_NLI,
    ),
    Head(
        name="one label",
        auto_class="AutoModelForSequenceClassification",
        tasks=("ranking",),
        kinds=_kinds("SEQUENCE_CLASSIFICATION"),
        reads="text",
        labels=("score",),
    ),
    Head(
        name="token classification",
        auto_class="AutoModelForTokenClassification",
        tasks=("token-classification",),
        kinds=_kinds("TOKEN_CLASSIFICATION"),
        reads="text",
        labels=("O", "B-PER", "I-PER"),
    ),
    Head(
        name="question answering",
        auto_class="AutoModelForQuestionAnswering",
        tasks=("question-answering",),
        kinds=_kinds("QUESTION_ANSWERING"),
        reads="text",
        labels=("start", "end"),
    ),
    Head(
        name="masked words",
        auto_class="AutoModelForMaskedLM",
        tasks=("fill-mask",),
        kinds=_kinds("MASKED_LM"),
        reads="text",
    ),
    Head(
        name="no head, text",
        auto_class="AutoModel",
        tasks=("embedding", "feature-extraction", "sentence-similarity"),
        kinds=_ENCODERS,
        reads="text",
    ),
    Head(
        name="decoder",
        auto_class="AutoModelForCausalLM",
        tasks=("text-generation", "chat"),
        kinds=_kinds("CAUSAL_LM"),
        reads="text",
    ),
    Head(
        name="encoder and decoder",
        auto_class="AutoModelForSeq2SeqLM",
        tasks=("text2text-generation", "summarization", "translation"),
        kinds=_kinds("SEQ_TO_SEQ_CAUSAL_LM"),
        reads="text",
    ),
    Head(
        name="image classification",
        auto_class="AutoModelForImageClassification",
        tasks=("image-classification",),
        kinds=_kinds("IMAGE_CLASSIFICATION"),
        reads="pictures",
    ),
    Head(
        name="no head, pictures",
        auto_class="AutoModel",
        tasks=("image-feature-extraction",),
        kinds=_kinds("IMAGE"),
        reads="pictures",
    ),
    Head(
        name="boxes",
        auto_class="AutoModelForObjectDetection",
        tasks=("object-detection", "image-anonymization"),
        kinds=_kinds("OBJECT_DETECTION"),
        reads="pictures",
    ),
    Head(
        name="depth",
        auto_class="AutoModelForDepthEstimation",
        tasks=("depth-estimation",),
        kinds=_kinds("DEPTH_ESTIMATION"),
        reads="pictures",
    ),
    *(
        Head(
            name=f"{kind} segments",
            auto_class=f"AutoModelFor{kind.capitalize()}Segmentation",
            tasks=("image-segmentation",),
            kinds=kinds,
            reads="pictures",
        )
        for kind, kinds in _segmenters().items()
    ),
    Head(
        name="points of interest",
        auto_class="AutoModelForKeypointDetection",
        tasks=("keypoint-detection",),
        kinds=_kinds("KEYPOINT_DETECTION"),
        reads="pictures",
    ),
    Head(
        name="pairs of pictures",
        auto_class="AutoModelForKeypointMatching",
        tasks=("keypoint-matching",),
        kinds=_kinds("KEYPOINT_MATCHING"),
        reads="pictures",
    ),
    Head(
        name="larger pictures",
        auto_class="AutoModelForImageToImage",
        tasks=("image-to-image",),
        kinds=_kinds("IMAGE_TO_IMAGE"),
        reads="pictures",
    ),
    Head(
        name="pictures by words",
        auto_class="AutoModelForZeroShotImageClassification",
        tasks=("zero-shot-image-classification",),
        kinds=_kinds("ZERO_SHOT_IMAGE_CLASSIFICATION"),
        reads="pictures and words",
    ),
    Head(
        name="pictures and words in one space",
        auto_class="AutoModel",
        tasks=("multimodal-embedding",),
        # VideoPrism's are videos.
        kinds=tuple(sorted({*_kinds("ZERO_SHOT_IMAGE_CLASSIFICATION"), *_SPACES} - {"videoprism"})),
        reads="pictures and words",
    ),
    Head(
        name="pages by queries",
        auto_class="AutoModelForPreTraining",  # the one that lists all three
        tasks=("visual-document-retrieval", "multivector-embedding"),
        kinds=("colmodernvbert", "colpali", "colqwen2"),
        reads="other",
    ),
    Head(
        name="boxes by words",
        auto_class="AutoModelForZeroShotObjectDetection",
        tasks=("zero-shot-object-detection",),
        kinds=_kinds("ZERO_SHOT_OBJECT_DETECTION"),
        reads="pictures and words",
    ),
    Head(
        name="videos",
        auto_class="AutoModelForVideoClassification",
        tasks=("video-classification",),
        kinds=_kinds("VIDEO_CLASSIFICATION"),
        reads="videos",
    ),
    Head(
        name="lines",
        auto_class="AutoModelForImageTextToText",
        tasks=("optical-character-recognition",),
        kinds=("vision-encoder-decoder",),  # TrOCR's; others read as image-text-to-text
        reads="other",
    ),
    Head(
        name="films",
        auto_class="AutoModel",
        tasks=("video-mask-generation",),
        kinds=("edgetam_video", "sam2_video", "sam3_tracker_video", "sam3_video"),
        reads="other",
    ),
    Head(
        name="pictures and text",
        auto_class="AutoModelForImageTextToText",
        tasks=("image-text-to-text",),
        kinds=_kinds("IMAGE_TEXT_TO_TEXT"),
        reads="pictures and text",
    ),
    Head(
        name="sound classification",
        auto_class="AutoModelForAudioClassification",
        tasks=("audio-classification",),
        kinds=_kinds("AUDIO_CLASSIFICATION"),
        reads="sound",
    ),
    Head(
        name="sounds by words",
        auto_class="AutoModel",
        tasks=("zero-shot-audio-classification",),
        kinds=("clap",),  # the one kind that its pipeline knows
        reads="other",
    ),
    *(
        Head(
            name=f"speech, {name}",
            auto_class=f"AutoModelFor{name}",
            tasks=("automatic-speech-recognition",),
            kinds=_kinds(mapping),
            reads="speech",
        )
        for name, mapping in _HEARERS.items()
    ),
    Head(
        name="sounds and text",
        auto_class="AutoModelForSeq2SeqLM",
        tasks=("audio-text-to-text",),
        kinds=_LISTENERS,
        reads="other",
    ),
    *(
        Head(
            name=name,
            auto_class=f"AutoModelFor{auto_class}",
            tasks=(task,),
            kinds=_kinds(mapping),
            reads="other",
        )
        for name, auto_class, task, mapping in _OTHERS
    ),
)


def units(
    tasks: Iterable[str] = (), kinds: Iterable[str] = ()
) -> list[tuple[Head, str, tuple[str, ...]]]:
    """What is built once and tried together: a head, a type, and the tasks of interest."""
    wanted, types = {*tasks}, {*kinds}
    return [
        (head, kind, chosen)
        for head in HEADS
        if (chosen := tuple(task for task in head.tasks if not wanted or task in wanted))
        for kind in head.kinds
        if not types or kind in types
    ]
