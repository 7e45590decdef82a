from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..base import Task


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a loaded model can say of itself; what it cannot is 0 or empty."""

    #: Of its weights, where they are: the host's memory or the device's.
    bytes: int = 0
    parameters: int = 0
    #: Of its weights, as torch and numpy call it; several where they differ.
    dtype: str = ""
    #: What its classes are called, by their numbers.
    labels: tuple[str, ...] = ()
    #: Of a hub model: the commit that was loaded.
    revision: str = ""
    #: The libraries that run it, with their versions.
    runtime: str = ""
    #: What its graph takes and gives, where its task leaves that to it (`GraphSignature.to_facts`).
    tensors: Mapping[str, Any] | None = None


def class_names(task: Task, names: Mapping[int, str]) -> tuple[str, ...]:
    """Classes by their numbers, where the task answers with them and no request brings its own."""
    answers = any(spec.name == "label" for spec in task.outputs)
    if not answers or task.name.startswith("zero-shot"):
        return ()
    return tuple(str(names[number]) for number in sorted(names))
