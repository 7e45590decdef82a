"""What a verdict holds for: the model's files, what is declared, versions, and the device."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ... import __version__
from ..backends.cores import usable_cores
from ..catalog import ModelDeclaration
from ..check.own_backend import folder_of
from ..files import files_at

#: Packages whose versions count.
_PACKAGES = (
    *("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "openvino"),
    *("tensorrt", "tokenizers", "torch", "transformers"),
)

#: Pieces of a large file that are read, and bytes of each: a millisecond or two.
_PIECES, _PIECE_BYTES = 64, 1 << 14

#: What of a CPU's abilities decides which numbers it computes in.
_FLAGS = ("amx_bf16", "amx_int8", "amx_tile", "asimd", "avx2", "avx512_bf16", "avx512_fp16")
_MORE_FLAGS = ("avx512_vnni", "avx512f", "avx_vnni", "bf16", "fma", "i8mm", "sve")


def identity(declared: ModelDeclaration, device_kind: str) -> dict[str, Any]:
    """All that a verdict depends on, as JSON has it. Of weights it reads pieces."""
    told = declared.model_dump(
        mode="json",
        include={"task", "parameters", "precision", "max_batch_size", "preferred_batch_size"},
    )
    return {
        **told,
        "tolerance": declared.most_apart,
        "source": declared.source or declared.definition.default_model,
        "files": files_digest(declared),
        "versions": versions(),
        "device": device_kind,
        "cpu": cpu(),
        "cores": usable_cores(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
    }


def export_identity(declared: ModelDeclaration) -> dict[str, Any]:
    """What an export depends on."""
    return {
        "task": declared.task,
        "source": declared.source or declared.definition.default_model,
        "files": files_digest(declared),
        "versions": versions(),
    }


def digest(told: Mapping[str, Any]) -> str:
    """A name for it."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]


def files_digest(declared: ModelDeclaration) -> str:
    """Of a model's files by their names, sizes, times, and pieces of what they hold; "" where there
    are none yet.

    Weights that were trained anew are as large as before, and of one time where an image of a
    container, or a copy, sets it: an export of the old ones would answer in their place.
    """
    folder = folder_of(declared)
    if folder is None:
        return ""
    found = sorted((str(Path(name)), size, at) for name, size, at in files_at(folder))
    told = hashlib.sha256(repr(found).encode())
    for name, size, _ in found:
        for piece in _pieces(Path(name), size):
            told.update(piece)
    return told.hexdigest()[:24]


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """All of a small file; of a large one pieces from all over it, its head and end among them."""
    try:
        with path.open("rb") as file:
            if size <= _PIECES * _PIECE_BYTES:
                yield file.read()
                return
            for number in range(_PIECES):
                file.seek((size - _PIECE_BYTES) * number // (_PIECES - 1))
                yield file.read(_PIECE_BYTES)
    except OSError:  # gone meanwhile: to load the model says so
        return


@functools.cache
def versions() -> dict[str, str]:
    """Of what computes, and of this package."""
    found = {"wherry": __version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def cpu() -> str:
    """This machine's CPU, with what it can compute in."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return f"{platform.machine()} {platform.processor()}".strip()
    named = re.search(r"^model name\s*: *(.+)$", text, flags=re.MULTILINE)
    return " ".join([named[1].strip() if named else platform.machine(), *sorted(flags())])


@functools.cache
def flags() -> frozenset[str]:
    """What of `_FLAGS` this machine's CPU can do."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    told = re.search(r"^(?:flags|Features)\s*: *(.+)$", text, flags=re.MULTILINE)
    return frozenset(told[1].split() if told else ()) & {*_FLAGS, *_MORE_FLAGS}
