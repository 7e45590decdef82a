"""What Pixano's clients can ask of a model, and which tasks answer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ....protocol.errors import InvalidRequest, JobNotFound, NotFound
from ....tasks.catalog import Catalog, ModelDeclaration
from ....tasks.registry import get_task
from . import requests
from .requests_video import TrackingAsk


class Capability(NamedTuple):
    """A kind of request."""

    name: str
    ask: type[requests.Ask]
    #: Our tasks, one of which the model has to do.
    tasks: tuple[str, ...]
    #: Where the seed and 0.5.6 have it, under /tasks/; "" where they have it not.
    path: str = ""


_TABLE = (
    Capability(
        "segmentation", requests.SegmentationAsk, ("mask-generation",), "image/mask_generation"
    ),
    Capability("tracking", TrackingAsk, ("video-mask-generation",), "video/mask_generation"),
    Capability(
        "detection",
        requests.DetectionAsk,
        ("zero-shot-object-detection", "object-detection"),
        "image/zero_shot_detection",
    ),
    Capability(
        "vlm",
        requests.VlmAsk,
        ("image-text-to-text",),
        "multimodal/text-image/conditional_generation",
    ),
    Capability(
        "embedding",
        requests.EmbeddingAsk,
        ("embedding", "image-feature-extraction", "multimodal-embedding"),
    ),
    Capability("ner", requests.NerAsk, ("token-classification",)),
)

BY_NAME: Mapping[str, Capability] = {row.name: row for row in _TABLE}
BY_PATH: Mapping[str, Capability] = {row.path: row for row in _TABLE if row.path}
TRACKING = BY_NAME["tracking"]

_BY_TASK: Mapping[str, Capability] = {task: row for row in _TABLE for task in row.tasks}


def named(name: str) -> Capability:
    """The capability of that name. Raises NotFound."""
    if name not in BY_NAME:
        raise NotFound(f"no capability {name!r}; there are {', '.join(BY_NAME)}")
    return BY_NAME[name]


def of_task(task: str) -> Capability:
    """The capability that a job's task belongs to. Raises JobNotFound."""
    if task not in _BY_TASK:
        raise JobNotFound(f"the job is none of Pixano's: its task is {task}")
    return _BY_TASK[task]


def served(catalog: Catalog) -> list[ModelDeclaration]:
    """The models that a client can ask, the last version of each."""
    models = [catalog.get(name) for name in catalog.names()]
    return [model for model in models if model.task in _BY_TASK]


def model_for(catalog: Catalog, name: str, capability: Capability) -> ModelDeclaration:
    """The model of a name or hub id. Raises ModelNotFound, InvalidRequest for another task's."""
    model = catalog.find(name)
    if model.task not in capability.tasks:
        fitting = [each.name for each in served(catalog) if each.task in capability.tasks]
        raise InvalidRequest(
            f"model {model.name!r} does {model.task}, not {capability.name}; "
            f"these do: {', '.join(fitting) or 'none'}"
        )
    return model


def task_name(task: str) -> str:
    """What the seed and 0.5.6 call a task."""
    return next(iter(get_task(task).aliases.pixano), task.replace("-", "_"))
