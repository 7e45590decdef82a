"""Transformers models as ONNX graphs, for the tasks that ONNX Runtime has a dialect for.

Each module here names its graphs as a dialect wants them: wherry.tasks.backends.onnx.dialects.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from ..backends.sources import opened

#: task -> module:function of this package. Each takes a source and a folder.
_EXPORTS = {
    "audio-classification": "sounds:audio_classification",
    "automatic-speech-recognition": "sounds:automatic_speech_recognition",
    "chat": "writers:writer",
    "depth-estimation": "images:depth_estimation",
    "embedding": "texts:embedding",
    "feature-extraction": "texts:embedding",
    "fill-mask": "texts:fill_mask",
    "image-anonymization": "images:object_detection",
    "image-classification": "images:image_classification",
    "image-segmentation": "images:image_segmentation",
    "object-detection": "images:object_detection",
    "question-answering": "texts:question_answering",
    "ranking": "texts:text_classification",
    "sentence-similarity": "texts:embedding",
    "summarization": "writers:writer",
    "text-classification": "texts:text_classification",
    "text-generation": "writers:writer",
    "text-to-speech": "sounds:text_to_speech",
    "text2text-generation": "writers:writer",
    "token-classification": "texts:token_classification",
    "translation": "writers:writer",
    "visual-question-answering": "pairs:visual_question_answering",
    "zero-shot-classification": "texts:text_classification",
    "zero-shot-image-classification": "pairs:zero_shot_image_classification",
    "zero-shot-object-detection": "pairs:zero_shot_object_detection",
}


def exported_tasks() -> tuple[str, ...]:
    """The tasks whose models can be exported."""
    return tuple(_EXPORTS)


def export(source: str, folder: Path, task: str) -> float:
    """Write a model of transformers, a folder or hub id, as ONNX with the files that feed it.

    Answers the greatest difference between the graphs' outputs and the model's own, on inputs that
    were not the traced ones. Raises ValueError for a task or model that cannot be exported,
    ModelRefused for one that is not there or not whole.
    """
    if task not in _EXPORTS:
        raise ValueError(f"no export for task {task!r}; there are {', '.join(_EXPORTS)}")
    module, _, function = _EXPORTS[task].partition(":")
    found = opened(source)
    folder.mkdir(parents=True, exist_ok=True)
    worst: float = getattr(importlib.import_module(f".{module}", __package__), function)(
        found, folder
    )
    return worst
