"""What a model's weights will take, from the heads of its files."""

from __future__ import annotations

from pathlib import Path

from ..backends.onnx.files import IN_TWO, TOGETHER, graphs_of, halves, main_graph, opened_with
from ..catalog import OF_GRAPHS, ModelDeclaration
from .folder import weight_files
from .hub import cached
from .own_backend import with_own_backend
from .safetensors import BrokenFileError, bytes_in_memory, read_header


def weigh(declared: ModelDeclaration) -> int:
    """Bytes that a model's weights take once loaded; 0 where that cannot be told."""
    try:
        declared = with_own_backend(declared)
    except ValueError:  # a fault of its own
        return 0
    source = declared.source or declared.definition.default_model
    if source is None:
        return 0
    folder = Path(source) if Path(source).is_dir() else cached(source)
    if folder is None:
        return 0
    if declared.backend in OF_GRAPHS:
        return _graphs(declared.task, folder, str(declared.parameters.get("file", "")))
    each = 4 if declared.parameters.get("dtype", "float32") == "float32" else 2
    total = 0
    for file in weight_files(folder):
        try:
            total += bytes_in_memory(read_header(file), each)
        except (BrokenFileError, OSError, KeyError, TypeError):
            continue  # a fault of its own
    return total


def _graphs(task: str, folder: Path, file: str) -> int:
    try:
        if task in TOGETHER and not file:
            mains = graphs_of(folder)
        else:
            mains = [*halves(folder, file)] if task in IN_TWO else [main_graph(folder, file, task)]
        files = {path for main in mains for path in opened_with(main)}
    except ValueError:  # a fault of its own
        return 0
    return sum(path.stat().st_size for path in files)
