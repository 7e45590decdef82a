"""Every task, by name. A row here and a file there is all that a task needs.

Other packages bring theirs by entry point; names that are here already stay Wherry's.
"""

from __future__ import annotations

import functools
import importlib

from ..protocol.nearest import meant
from . import entry_points
from .base import Task

_TASKS = {
    "audio-classification": "audio.audio_classification",
    "audio-text-to-text": "multimodal.audio_text_to_text",
    "automatic-speech-recognition": "audio.automatic_speech_recognition",
    "chat": "text.chat",
    "custom": "multimodal.custom",
    "depth-estimation": "vision.depth_estimation",
    "document-question-answering": "multimodal.document_question_answering",
    "embedding": "text.embedding",
    "feature-extraction": "text.feature_extraction",
    "fill-mask": "text.fill_mask",
    "image-anonymization": "vision.image_anonymization",
    "image-classification": "vision.image_classification",
    "image-feature-extraction": "vision.image_feature_extraction",
    "image-segmentation": "vision.image_segmentation",
    "image-text-to-text": "multimodal.image_text_to_text",
    "image-to-image": "vision.image_to_image",
    "image-to-text": "multimodal.image_to_text",
    "keypoint-detection": "vision.keypoint_detection",
    "keypoint-matching": "vision.keypoint_matching",
    "mask-generation": "vision.mask_generation",
    "multimodal-embedding": "multimodal.multimodal_embedding",
    "multivector-embedding": "multimodal.multivector_embedding",
    "object-detection": "vision.object_detection",
    "optical-character-recognition": "vision.optical_character_recognition",
    "question-answering": "text.question_answering",
    "ranking": "text.ranking",
    "sentence-similarity": "text.sentence_similarity",
    "summarization": "text.summarization",
    "table-question-answering": "text.table_question_answering",
    "tabular-classification": "multimodal.tabular_classification",
    "tabular-regression": "multimodal.tabular_regression",
    "tensor": "multimodal.tensor",
    "text-classification": "text.text_classification",
    "text-generation": "text.text_generation",
    "text-to-audio": "audio.text_to_audio",
    "text-to-image": "multimodal.text_to_image",
    "text-to-speech": "audio.text_to_speech",
    "text2text-generation": "text.text2text_generation",
    "time-series-forecasting": "multimodal.time_series_forecasting",
    "token-classification": "text.token_classification",
    "translation": "text.translation",
    "video-classification": "vision.video_classification",
    "video-mask-generation": "vision.video_mask_generation",
    "visual-document-retrieval": "multimodal.visual_document_retrieval",
    "visual-question-answering": "multimodal.visual_question_answering",
    "zero-shot-audio-classification": "audio.zero_shot_audio_classification",
    "zero-shot-classification": "text.zero_shot_classification",
    "zero-shot-image-classification": "vision.zero_shot_image_classification",
    "zero-shot-object-detection": "vision.zero_shot_object_detection",
}


def task_of(alias: str) -> Task:
    """The task that another system calls so; its own name counts first. Raises ValueError."""
    if alias in task_names():
        return get_task(alias)
    for task in map(get_task, task_names()):
        known = task.aliases
        if alias in (*known.others, *known.huggingface, *known.pixano, known.instill):
            return task
    raise ValueError(f"no task is called {alias!r}; there are {', '.join(task_names())}")


@functools.cache
def task_names() -> tuple[str, ...]:
    """The names of all tasks, sorted."""
    return tuple(sorted({*_TASKS, *entry_points.installed("wherry.tasks")}))


@functools.cache
def get_task(name: str) -> Task:
    """The task of that name.

    Raises ValueError that lists the names there are, or tells what is wrong with another package's.
    """
    if name not in task_names():
        hint = meant(name, task_names()) or f"; there are {', '.join(task_names())}"
        raise ValueError(f"unknown task {name!r}{hint}")
    if name not in _TASKS:
        return _brought(name)
    task: Task = importlib.import_module(f".{_TASKS[name]}", __package__).TASK
    return task


def _brought(name: str) -> Task:
    """A task of another package. Raises ValueError."""
    point = entry_points.installed("wherry.tasks")[name]
    task = entry_points.load(point)
    if not isinstance(task, Task) or task.name != name:
        raise ValueError(f"entry point {point.name!r} = {point.value!r} is no task of that name")
    return task
