"""Which backend a model's source is made for, where its declaration names none."""

from __future__ import annotations

from pathlib import Path

from ..backends import NAMED_ALONE, backend_places, backend_table
from ..backends.onnx.files import graphs_of
from ..catalog import AUTO, ModelDeclaration
from ..locate import PACKAGE, locate
from .backend_class import BackendClass
from .folder import weight_files
from .hub import cached
from .parameters import parameter_faults

#: What takes whole folders of its own, in the order in which a folder's files settle it.
_FOLDERS = ("transformers", "onnxruntime", "openvino")


def with_own_backend(declared: ModelDeclaration) -> ModelDeclaration:
    """The declaration with the backend that its source is made for, where it names none.

    A folder's weights come before its graphs, unless a parameter is of graphs alone. Raises
    ValueError where nothing does the task.
    """
    if declared.backend != AUTO:
        return declared
    able = able_backends(declared.task)
    if not able:
        raise ValueError(f"nothing that is installed does {declared.task}: name a backend")
    there = _of_folder(declared, [name for name in _FOLDERS if name in able]) or able
    own = next((name for name in there if takes_parameters(declared, name)), there[0])
    return as_named(declared, own)


def as_named(declared: ModelDeclaration, backend: str) -> ModelDeclaration:
    """The declaration as it would be with a backend's name."""
    plain = {"backend": backend, "precision": "exact", "tolerance": None}
    return declared.model_copy(update=plain)


def able_backends(task: str) -> list[str]:
    """The backends that do a task with models."""
    return [
        name for name, tasks in backend_table().items() if task in tasks and name not in NAMED_ALONE
    ]


def takes_parameters(declared: ModelDeclaration, backend: str) -> bool:
    """Whether a backend takes all that a declaration says in `parameters`."""
    place = backend_places(backend).get(declared.task)
    if place is None:  # another package's class: only it knows
        return True
    named = as_named(declared, backend)
    return not any(parameter_faults(named, BackendClass.of(place)))


def _of_folder(declared: ModelDeclaration, able: list[str]) -> list[str]:
    """Those whose files a folder holds, in their order; all for what is no folder."""
    folder = folder_of(declared)
    if folder is None or len(able) < 2:
        return able
    graphs, weights = graphs_of(folder), weight_files(folder)
    if graphs and not weights:
        return [name for name in able if name != "transformers"]
    return [name for name in able if graphs or name == "transformers"]


def folder_of(declared: ModelDeclaration) -> Path | None:
    """Where a model's files lie on this machine; None where they do not, or are no folder."""
    source = declared.source or declared.definition.default_model
    if not source:
        return None
    if source.startswith(PACKAGE):
        try:
            source = locate(source, Path())
        except ValueError:  # a fault of its own
            return None
    folder = Path(source) if Path(source).exists() else cached(source)
    return folder if folder is not None and folder.is_dir() else None
