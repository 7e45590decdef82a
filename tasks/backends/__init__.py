"""Backends: how tasks are done. The one place that may import torch, transformers, onnxruntime."""

from __future__ import annotations

import functools
import importlib
import os
from importlib.metadata import EntryPoint
from typing import Any

from .. import entry_points
from ..registry import get_task, task_names
from .base import Backend
from .device import Device

#: backend -> task -> module:class. Modules load when a backend is made.
_TABLE: dict[str, dict[str, str]] = {
    "stub": dict.fromkeys(task_names(), "stub:Stub"),
    "transformers": {
        "audio-classification": "transformers.audio.audio_classification:AudioClassification",
        "audio-text-to-text": "transformers.multimodal.audio_text_to_text:AudioTextToText",
        "automatic-speech-recognition": "transformers.audio.automatic_speech_recognition:Recognition",  # noqa: E501 # one row
        "chat": "transformers.text.chat:Chat",
        "depth-estimation": "transformers.vision.depth_estimation:DepthEstimation",
        "document-question-answering": "transformers.multimodal.document_question_answering:DocumentAnswering",  # noqa: E501 # one row
        "embedding": "transformers.text.embedding:Embedding",
        "feature-extraction": "transformers.text.feature_extraction:FeatureExtraction",
        "fill-mask": "transformers.text.fill_mask:FillMask",
        "image-anonymization": "transformers.vision.image_anonymization:ImageAnonymization",
        "image-classification": "transformers.vision.image_classification:ImageClassification",
        "image-feature-extraction": "transformers.vision.image_feature_extraction:ImageFeatureExtraction",  # noqa: E501 # one row
        "image-segmentation": "transformers.vision.image_segmentation:ImageSegmentation",
        "image-text-to-text": "transformers.multimodal.image_text_to_text:ImageTextToText",
        "image-to-image": "transformers.vision.image_to_image:ImageToImage",
        "image-to-text": "transformers.multimodal.image_to_text:ImageToText",
        "keypoint-detection": "transformers.vision.keypoint_detection:KeypointDetection",
        "keypoint-matching": "transformers.vision.keypoint_matching:KeypointMatching",
        "mask-generation": "transformers.vision.mask_generation:MaskGeneration",
        "multimodal-embedding": "transformers.multimodal.multimodal_embedding:MultimodalEmbedding",
        "multivector-embedding": "transformers.multimodal.multivector_embedding:MultivectorEmbedding",  # noqa: E501 # one row
        "object-detection": "transformers.vision.object_detection:ObjectDetection",
        "optical-character-recognition": "transformers.vision.optical_character_recognition:LineReading",  # noqa: E501 # one row
        "question-answering": "transformers.text.question_answering:QuestionAnswering",
        "ranking": "transformers.text.ranking:Ranking",
        "sentence-similarity": "transformers.text.sentence_similarity:SentenceSimilarity",
        "summarization": "transformers.text.summarization:Summarization",
        "table-question-answering": "transformers.text.table_question_answering:TableQuestionAnswering",  # noqa: E501 # one row
        "text-classification": "transformers.text.text_classification:TextClassification",
        "text-generation": "transformers.text.text_generation:TextGeneration",
        "text-to-image": "transformers.multimodal.text_to_image:TextToImage",
        "text-to-audio": "transformers.audio.text_to_audio:TextToAudio",
        "text-to-speech": "transformers.audio.text_to_speech:TextToSpeech",
        "text2text-generation": "transformers.text.text2text_generation:Text2TextGeneration",
        "time-series-forecasting": "transformers.multimodal.time_series_forecasting:TimeSeriesForecasting",  # noqa: E501 # one row
        "token-classification": "transformers.text.token_classification:TokenClassification",
        "translation": "transformers.text.translation:Translation",
        "video-classification": "transformers.vision.video_classification:VideoClassification",
        "video-mask-generation": "transformers.vision.video_mask_generation:VideoMaskGeneration",
        "visual-document-retrieval": "transformers.multimodal.visual_document_retrieval:VisualDocumentRetrieval",  # noqa: E501 # one row
        "visual-question-answering": "transformers.multimodal.visual_question_answering:VisualAnswering",  # noqa: E501 # one row
        "zero-shot-audio-classification": "transformers.audio.zero_shot_audio_classification:ZeroShotAudioClassification",  # noqa: E501 # one row
        "zero-shot-classification": "transformers.text.zero_shot_classification:ZeroShotClassification",  # noqa: E501 # one row
        "zero-shot-image-classification": "transformers.vision.zero_shot_image_classification:ZeroShotImageClassification",  # noqa: E501 # one row
        "zero-shot-object-detection": "transformers.vision.zero_shot_object_detection:ZeroShotObjectDetection",  # noqa: E501 # one row
    },
    "onnxruntime": {
        "audio-classification": "onnx.backend:DialectBackend",
        "automatic-speech-recognition": "onnx.backend:DialectBackend",
        "chat": "onnx.writing.backends:GraphChat",
        "depth-estimation": "onnx.backend:DialectBackend",
        "embedding": "onnx.backend:DialectBackend",
        "feature-extraction": "onnx.backend:DialectBackend",
        "fill-mask": "onnx.backend:DialectBackend",
        "image-anonymization": "onnx.anonymization:ImageAnonymization",
        "image-classification": "onnx.backend:DialectBackend",
        "image-feature-extraction": "onnx.backend:DialectBackend",
        "image-segmentation": "onnx.backend:DialectBackend",
        "keypoint-detection": "onnx.backend:DialectBackend",
        "mask-generation": "onnx.mask_generation:GraphMasks",
        "multimodal-embedding": "onnx.backend:DialectBackend",
        "object-detection": "onnx.backend:DialectBackend",
        "optical-character-recognition": "onnx.optical_character_recognition:TextReading",
        "question-answering": "onnx.backend:DialectBackend",
        "ranking": "onnx.backend:DialectBackend",
        "sentence-similarity": "onnx.backend:DialectBackend",
        "summarization": "onnx.writing.backends:GraphSummarization",
        "text-classification": "onnx.backend:DialectBackend",
        "text-generation": "onnx.writing.backends:GraphTextGeneration",
        "tensor": "onnx.tensors:GraphTensors",
        "text-to-speech": "onnx.voices:Voices",
        "text2text-generation": "onnx.writing.backends:GraphText2Text",
        "token-classification": "onnx.backend:DialectBackend",
        "translation": "onnx.writing.backends:GraphTranslation",
        "visual-question-answering": "onnx.backend:DialectBackend",
        "zero-shot-classification": "onnx.backend:DialectBackend",
        "zero-shot-image-classification": "onnx.backend:DialectBackend",
        "zero-shot-object-detection": "onnx.backend:DialectBackend",
    },
    "openvino": {
        "audio-classification": "onnx.openvino.dialects:OpenVinoDialects",
        "automatic-speech-recognition": "onnx.openvino.dialects:OpenVinoDialects",
        "chat": "onnx.openvino.writing:OpenVinoChat",
        "depth-estimation": "onnx.openvino.dialects:OpenVinoDialects",
        "embedding": "onnx.openvino.dialects:OpenVinoDialects",
        "feature-extraction": "onnx.openvino.dialects:OpenVinoDialects",
        "fill-mask": "onnx.openvino.dialects:OpenVinoDialects",
        "image-anonymization": "onnx.openvino.dialects:OpenVinoAnonymization",
        "image-classification": "onnx.openvino.dialects:OpenVinoDialects",
        "image-feature-extraction": "onnx.openvino.dialects:OpenVinoDialects",
        "image-segmentation": "onnx.openvino.dialects:OpenVinoDialects",
        "keypoint-detection": "onnx.openvino.dialects:OpenVinoDialects",
        "mask-generation": "onnx.openvino.masks:OpenVinoMasks",
        "multimodal-embedding": "onnx.openvino.dialects:OpenVinoDialects",
        "object-detection": "onnx.openvino.dialects:OpenVinoDialects",
        "optical-character-recognition": "onnx.openvino.dialects:OpenVinoDialects",
        "question-answering": "onnx.openvino.dialects:OpenVinoDialects",
        "ranking": "onnx.openvino.dialects:OpenVinoDialects",
        "sentence-similarity": "onnx.openvino.dialects:OpenVinoDialects",
        "summarization": "onnx.openvino.writing:OpenVinoSummarization",
        "text-classification": "onnx.openvino.dialects:OpenVinoDialects",
        "tensor": "onnx.openvino.tensors:OpenVinoTensors",
        "text-generation": "onnx.openvino.writing:OpenVinoTextGeneration",
        "text2text-generation": "onnx.openvino.writing:OpenVinoText2Text",
        "token-classification": "onnx.openvino.dialects:OpenVinoDialects",
        "translation": "onnx.openvino.writing:OpenVinoTranslation",
        "visual-question-answering": "onnx.openvino.dialects:OpenVinoDialects",
        "zero-shot-classification": "onnx.openvino.dialects:OpenVinoDialects",
        "zero-shot-image-classification": "onnx.openvino.dialects:OpenVinoDialects",
        "zero-shot-object-detection": "onnx.openvino.dialects:OpenVinoDialects",
    },
    "sklearn": {
        "tabular-classification": "sklearn.tabular:TabularClassification",
        "tabular-regression": "sklearn.tabular:TabularRegression",
    },
    "handler": {
        "custom": "handler:Handler",
    },
    "endpoint": dict.fromkeys(task_names(), "endpoint.backend:Endpoint"),
}


def without_telemetry() -> None:
    """Keep ONNX Runtime, which looks as it is imported, from telling its maker of models."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


without_telemetry()

#: Backends that do every task, and with no model of this machine: meant where they are named alone.
NAMED_ALONE = ("stub", "endpoint")

#: backend -> the extra that brings its packages.
_EXTRAS = {
    "endpoint": "endpoint",
    "handler": "worker",
    "sklearn": "tabular",
    "stub": "worker",
    "transformers": "transformers",
    "onnxruntime": "onnx",
    "openvino": "openvino",
}

#: backend -> what the first model that it loads makes it import.
_RUNTIMES = {"transformers": ["transformers.modeling_utils"]}

#: package -> the extra that brings it, where that is not its backend's.
_PACKAGES = {
    "diffusers": "diffusers",
    "grpc": "grpc",
    "hibari": "speech",
    "pandas": "tables",
    "rapidocr": "ocr",
    "soundfile": "audio",
    "soxr": "audio",
    "timm": "timm",
    "torch": "transformers",
    "torchvision": "torchvision",
    "transformers": "transformers",
}


def backend_table() -> dict[str, list[str]]:
    """Per backend, the tasks it can do."""
    table = {backend: list(tasks) for backend, tasks in _TABLE.items()}
    for backend, tasks in _brought().items():
        table[backend] = list(dict.fromkeys([*table.get(backend, ()), *tasks]))
    return table


def backend_places(name: str) -> dict[str, str]:
    """Per task, where a backend's own class for it is: `module:class` within this package."""
    return dict(_TABLE.get(name, {}))


def modules_of(name: str, task_name: str) -> list[str]:
    """What one of our own backends imports for a task, whatever the model."""
    place = _TABLE.get(name, {}).get(task_name)
    if place is None:
        return []
    return [*_RUNTIMES.get(name, ()), f"{__package__}.{place.partition(':')[0]}"]


def extra_of(backend: str, package: str) -> str:
    """The extra that brings a package which a backend needs."""
    if backend == "sklearn":  # its own brings pandas, too
        return _EXTRAS[backend]
    return _PACKAGES.get(package, _EXTRAS[backend])


@functools.cache
def _brought() -> dict[str, dict[str, EntryPoint]]:
    """The classes of other packages: backend -> task -> entry point."""
    table: dict[str, dict[str, EntryPoint]] = {}
    for name, point in entry_points.installed("wherry.backends").items():
        backend, _, task_name = name.partition(".")
        table.setdefault(backend, {})[task_name] = point
    return table


def create_backend(
    name: str, task_name: str, source: str | None, *, device: Device, **parameters: Any
) -> Backend:
    """Make a backend for a task; nothing is loaded yet.

    Raises ValueError for an unknown backend or task, or a parameter the backend does not take;
    ModuleNotFoundError that names the extra to install when a package is missing.
    """
    task, table = get_task(task_name), backend_table()
    if name not in table:
        raise ValueError(f"unknown backend {name!r}; there are {', '.join(table)}")
    if task_name not in table[name]:
        raise ValueError(f"backend {name!r} cannot do {task_name!r}")
    made = _class_of(name, task_name)
    try:
        backend: Backend = made(task, source, device=device, **parameters)
    except TypeError as error:
        raise ValueError(f"backend {name!r} for {task_name!r}: {error}") from error
    return backend


def _class_of(name: str, task_name: str) -> Any:
    """The class of a backend for a task."""
    if task_name not in _TABLE.get(name, {}):
        return entry_points.load(_brought()[name][task_name])
    module, _, cls = _TABLE[name][task_name].partition(":")
    try:
        return getattr(importlib.import_module(f".{module}", __package__), cls)
    except ModuleNotFoundError as error:
        extra = extra_of(name, error.name or "")
        hint = f"backend {name!r} needs {error.name}: pip install 'wherry[{extra}]'"
        raise ModuleNotFoundError(hint, name=error.name) from error
