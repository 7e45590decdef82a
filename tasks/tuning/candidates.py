"""What can serve a model on a device, beside what its source is made for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..backends.onnx.files import graphs_of
from ..catalog import ModelDeclaration
from ..check.folder import read_config, weight_files
from ..check.own_backend import able_backends, folder_of, takes_parameters

#: Runtimes of graphs: backend -> the package that it needs.
_RUNTIMES = {"onnxruntime": "onnxruntime"}

#: Tasks whose models write, token by token: an export of the fleet's own is not tried.
_WRITE = frozenset(
    {
        *("chat", "summarization", "text-generation", "text2text-generation", "translation"),
        "text-to-speech",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A way to run a model: a backend with its parameters, and the source that it opens."""

    backend: str
    #: What it computes in.
    precision: str = "float32"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: None for the fleet's own export of the model.
    source: str | None
    #: What tells it from others of its backend and precision.
    remark: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        remark = f" ({self.remark})" if self.remark else ""
        return f"{self.backend} {self.precision}{remark}"


def own_candidate(declared: ModelDeclaration) -> Candidate:
    """What the source of a declaration is made for, which names its backend by now."""
    return Candidate(
        backend=declared.backend, parameters=dict(declared.parameters), source=declared.source
    )


def other_candidates(declared: ModelDeclaration, own: str, device: str) -> list[Candidate]:
    """The other ways to run it on a device, that of the source's own backend excepted."""
    if own not in ("transformers", *_RUNTIMES):
        return []
    return [*_graphs(declared, own)] if device == "cpu" else []


def _graphs(declared: ModelDeclaration, own: str) -> Iterator[Candidate]:
    able = able_backends(declared.task)
    folder = folder_of(declared)
    brought = folder is not None and bool(graphs_of(folder))
    for backend, package in _RUNTIMES.items():
        if backend == own or backend not in able or importlib.util.find_spec(package) is None:
            continue
        if not takes_parameters(declared, backend):
            continue
        if brought:
            source, remark = str(folder), "the folder's graph"
        elif can_be_exported(declared, folder):
            source, remark = None, ""
        else:
            continue
        yield Candidate(
            backend=backend, parameters=dict(declared.parameters), source=source, remark=remark
        )


def can_be_exported(declared: ModelDeclaration, folder: Path | None) -> bool:
    """Whether the fleet writes graphs of such a model by itself."""
    from ..export import exported_tasks

    if declared.task not in exported_tasks() or declared.task in _WRITE:
        return False
    if folder is None or not weight_files(folder):
        return False
    saved = [str(name) for name in read_config(folder).get("architectures") or ()]
    return not any("ConditionalGeneration" in name or "CausalLM" in name for name in saved)
