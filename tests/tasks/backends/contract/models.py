"""Every backend of every task, with tiny models for each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wherry.samples.tiny import BUILDERS
from wherry.tasks.backends import backend_places, backend_table, create_backend
from wherry.tasks.backends.base import Backend
from wherry.tasks.backends.device import Device
from wherry.tasks.export import exported_tasks
from wherry.tasks.registry import get_task

from . import other, text, vision
from .case import Case
from .exported import WRITERS

CASES: dict[str, Case] = {**text.CASES, **vision.CASES, **other.AUDIO, **other.MULTIMODAL}

#: A text of a row that the stub refuses.
UNREADABLE = "unreadable"

_HANDLER = """
class EndpointHandler:
    def __init__(self, path=""):
        pass

    def __call__(self, data):
        inputs = data.pop("inputs")
        if inputs == "raise":
            raise RuntimeError("a secret")
        return [{"inputs": inputs, "rest": data}]
"""

#: Backends that are given graphs.
_OF_GRAPHS = ("onnxruntime", "openvino")

#: Models that are served on OpenVINO in every run of the tests.
_ON_OPENVINO = ("image-classification", "text-classification")

#: Models of a task beside the one that has its name, of another kind.
_FURTHER: dict[str, tuple[str, ...]] = {
    "audio-classification": ("audio-classification-ast", "audio-classification-masked"),
    "automatic-speech-recognition": (
        "automatic-speech-recognition-ctc",
        "automatic-speech-recognition-moonshine",
    ),
    "image-feature-extraction": ("zero-shot-image-classification",),
    "image-segmentation": ("image-segmentation-semantic",),
    "keypoint-detection": ("keypoint-detection-superpoint",),
    "image-text-to-text": ("image-text-to-text-qwen2-vl",),
    "mask-generation": ("mask-generation-sam-hq", "mask-generation-sam2"),
    "multimodal-embedding": ("zero-shot-image-classification-siglip",),
    "object-detection": ("object-detection-detr",),
    "ranking": ("ranking-qwen3",),
    "text-generation": ("text-generation-gpt2",),
    "text-to-speech": ("text-to-speech-csm",),
    "time-series-forecasting": ("time-series-forecasting-timesfm2_5",),
    "translation": ("translation-nllb",),
    "video-classification": ("video-classification-vjepa2",),
    "zero-shot-audio-classification": ("zero-shot-audio-classification-fused",),
    "zero-shot-image-classification": ("zero-shot-image-classification-siglip",),
    "zero-shot-object-detection": (
        "zero-shot-object-detection-grounding-dino",
        "zero-shot-object-detection-owlv2",
    ),
}

#: Models that are exported, where not all of a task's are.
_EXPORTED = {
    "automatic-speech-recognition": (
        "automatic-speech-recognition",
        "automatic-speech-recognition-ctc",
    ),
    "image-feature-extraction": ("image-feature-extraction-siglip",),
    "image-segmentation": ("image-segmentation-semantic", "image-segmentation-yolo"),
    "keypoint-detection": ("keypoint-detection-yolo", "keypoint-detection-rtmpose"),
    "mask-generation": ("mask-generation-in-two",),
    "multimodal-embedding": ("multimodal-embedding-siglip",),
    "optical-character-recognition": (
        "optical-character-recognition",
        "optical-character-recognition-ctc",
    ),
    "ranking": ("ranking",),
    "zero-shot-image-classification": ("zero-shot-image-classification",),
    "zero-shot-object-detection": ("zero-shot-object-detection",),
}

#: Backend and task -> the source that needs no builder.
_GIVEN: dict[tuple[str, str], str | None] = {
    ("onnxruntime", "optical-character-recognition"): None,
    ("onnxruntime", "tensor"): "package:wherry.samples/weights/arithmetic",
    ("openvino", "tensor"): "package:wherry.samples/weights/arithmetic",
    ("onnxruntime", "text-to-speech"): None,
    ("handler", "custom"): "mine",
}

#: Backend and task, or model -> what it is declared with.
_DECLARED: dict[tuple[str, str] | str, dict[str, Any]] = {
    "optical-character-recognition-ctc": {"characters": "abcdef", "std": [1.0, 1.0, 1.0]},
    ("onnxruntime", "optical-character-recognition"): {"threads": 1},
    ("onnxruntime", "mask-generation"): {"points_per_side": 4, "threads": 1},
    ("openvino", "mask-generation"): {"points_per_side": 4, "threads": 1},
    ("transformers", "mask-generation"): {"points_per_side": 4},
    ("transformers", "optical-character-recognition"): {"max_new_tokens": 8},
}

#: Model, or pair -> parameters that it has no use for, or that random weights show nothing of: why.
DEAF: dict[str, Mapping[str, str]] = {
    "automatic-speech-recognition-ctc": {"language": "it knows but one"},
    "automatic-speech-recognition-moonshine": {
        "language": "it knows but one",
        "return_timestamps": "it tells no times, and refuses it",
    },
    "chat": dict.fromkeys(
        ("tools", "tool_choice", "parallel_tool_calls"),
        "its template has no tools; test_tools.py has those that do",
    ),
    "depth-estimation": {"background": "random weights move by less than a grey"},
    "document-question-answering": dict.fromkeys(
        ("background", "frames", "dpi"), "its pages are read first; its own tests have them"
    ),
    "embedding": {"prompt_name": "the folder has none; test_sentences.py has folders that do"},
    "image-feature-extraction": {"pool": "DINOv2 pools by its first token, as others do not"},
    "image-segmentation-semantic": dict.fromkeys(
        ("threshold", "mask_threshold", "overlap_mask_area_threshold", "subtask"),
        "each pixel has its class",
    ),
    "image-segmentation-yolo": dict.fromkeys(
        ("overlap_mask_area_threshold", "subtask"), "instances overlap, and there are no others"
    ),
    "mask-generation-sam2": {"stability_score_offset": "random weights are too sure to be moved"},
    "onnxruntime-text-to-speech": {"speaker": "it has but one"},
    "video-classification": {"num_frames": "it takes its own number of them alone"},
    "ranking": {"instruction": "a cross-encoder is given none, and refuses it"},
    "text-to-audio": {"max_new_tokens": "its usual 256 frames take seconds; its own test has it"},
    "text-to-speech-csm": {"speed": "it cannot be told, and refuses it"},
    "translation": dict.fromkeys(("src_lang", "tgt_lang"), "T5 does the pairs that it names"),
}


@dataclass(frozen=True)
class Pair:
    """A backend of a task, and one of its models; "" where there is none yet."""

    backend: str
    task: str
    model: str

    def __str__(self) -> str:
        own = self.model.startswith(self.task)
        return f"{self.backend}-{self.model if own else f'{self.task}-{self.model}'}"

    @property
    def case(self) -> Case:
        if self.task not in CASES:
            pytest.fail(f"tests/tasks/backends/contract: add a Case for task {self.task!r}")
        own = self.model.startswith(self.task) and self.model in CASES
        return CASES[self.model if own else self.task]

    @property
    def marks(self) -> tuple[pytest.MarkDecorator, ...]:
        """Slow for graphs that write: three each, and tests/tasks/backends/onnx/test_writing.py
        compares what they write with what their models do. And for the trained reader of pages:
        a minute, where its own tests have it read; and SAM's, of which test_mask_graphs.py tells.
        And for most that OpenVINO runs: dialects are the same code whatever runs their graphs, and
        tests/tasks/backends/onnx/test_openvino.py holds its numbers to ONNX Runtime's.
        """
        writes = "num_beams" in get_task(self.task).input.parameter_names()
        own = self.model in ("optical-character-recognition", "mask-generation-in-two")
        slow = self.backend in _OF_GRAPHS and (writes or own)
        slow = slow or (self.backend == "openvino" and self.model not in _ON_OPENVINO)
        return (pytest.mark.slow,) if slow else ()

    @property
    def deaf(self) -> Mapping[str, str]:
        """Parameters that show nothing of themselves."""
        return DEAF.get(str(self)) or DEAF.get(self.model, {})


def pairs(family: str) -> list[Pair]:
    """All that the tables of tasks and backends have of a family, with each of its models."""
    return [
        Pair(backend, task, model)
        for backend in backend_table()
        if backend != "endpoint"  # asks a server: tests/flow/test_endpoints.py
        for task in sorted(backend_places(backend))
        if get_task(task).family == family
        for model in _models(backend, task)
    ]


def _models(backend: str, task: str) -> tuple[str, ...]:
    if (backend, task) == ("openvino", "optical-character-recognition"):
        return ("optical-character-recognition-ctc",)  # pages are ONNX Runtime's
    if backend in _OF_GRAPHS and task in _EXPORTED:
        return _EXPORTED[task]
    if backend == "stub" or (backend, task) in _GIVEN:
        return (task,)
    named = (task, *_FURTHER.get(task, ()))
    return named if named[0] in BUILDERS else ("",)


class Workshop:
    """Makes backends; each model is built once."""

    def __init__(
        self,
        tiny_model: Callable[[str], Path],
        tiny_graph: Callable[[str, str], Path],
        folder: Path,
    ) -> None:
        self._tiny, self._graph, self._folder = tiny_model, tiny_graph, folder
        self.source = functools.cache(self._source)

    def make(self, pair: Pair) -> Backend:
        """A backend with its model, warm."""
        made = self.made(pair)
        made.load()
        made.warm_up()
        return made

    def made(self, pair: Pair, **more: Any) -> Backend:
        """The same, with nothing loaded."""
        declared = _DECLARED.get(pair.model) or _DECLARED.get((pair.backend, pair.task), {})
        if pair.backend == "stub":
            declared = {"reject_on": UNREADABLE}
        if pair.backend == "handler":
            declared = {"handler_dir": str(self._folder)}
        source = self.source(pair)
        return create_backend(
            pair.backend, pair.task, source, device=Device(), **{**declared, **more}
        )

    def _source(self, pair: Pair) -> str | None:
        if pair.backend == "stub":
            return None
        if pair.backend == "handler":
            (self._folder / "mine").mkdir()
            (self._folder / "mine" / "handler.py").write_text(_HANDLER)
        if pair.model in WRITERS:
            return str(WRITERS[pair.model](self._folder / pair.model))
        if (pair.backend, pair.task) in _GIVEN:
            return _GIVEN[pair.backend, pair.task]
        if pair.model not in BUILDERS:
            pytest.fail(
                f"no tiny model of {pair.task!r} for {pair.backend!r}: add a builder of that name "
                "to wherry.samples.tiny.BUILDERS, or a source to _GIVEN of this file"
            )
        if pair.backend not in _OF_GRAPHS:
            return str(self._tiny(pair.model))
        if pair.task not in exported_tasks():
            pytest.fail(
                f"no graph of {pair.task!r}: add an export to wherry.tasks.export, or a source to "
                "_GIVEN of this file"
            )
        return str(self._graph(pair.model, pair.task))
