"""All that can be said of a declared model without reading its weights."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...protocol.nearest import meant
from ..backends import backend_places, backend_table, extra_of
from ..catalog import OF_GRAPHS, ModelDeclaration
from ..locate import PACKAGE, locate
from .architecture import architecture_faults
from .asked import asked_faults, is_asked
from .backend_class import BackendClass
from .endpoint import endpoint_faults
from .estimator import estimator_faults
from .fault import Fault
from .folder import folder_faults, read_config
from .handler import adapter_faults, handler_faults
from .hub import cached, why_unreachable
from .modules import module_faults
from .own_backend import with_own_backend
from .parameters import parameter_faults
from .types import type_faults

#: Parameters that take a word, and which.
_WORDS = {
    "dtype": ("float32", "float16", "bfloat16"),
    "batching": ("padded", "equal-length", "one-by-one"),
    "precision": ("exact", "fast"),
    "attention": ("eager", "sdpa", "flash_attention_2"),
    "decode": ("exact", "scaled"),
}

#: Tasks that read modules.json of sentence-transformers.
_WITH_MODULES = frozenset({"embedding", "sentence-similarity"})


def check_model(declared: ModelDeclaration, *, handler_dir: str | None = None) -> list[Fault]:
    """What keeps a model from being served, or may; all faults that can be seen at once.

    `handler_dir` is where the operator has trusted handlers; None where the caller cannot know.
    """
    try:
        declared = with_own_backend(declared)
    except ValueError as error:
        return [Fault(f"backend: {error}")]
    table = backend_table()
    if declared.backend not in table:
        hint = meant(declared.backend, table) or f"; there are {', '.join(table)}"
        return [Fault(f"backend: unknown backend {declared.backend!r}{hint}")]
    if declared.task not in table[declared.backend]:
        able = [name for name, tasks in table.items() if declared.task in tasks]
        other = f"; {' and '.join(able)} can" if able else ""
        return [Fault(f"backend: {declared.backend!r} cannot do {declared.task}{other}")]
    place = backend_places(declared.backend).get(declared.task)
    if place is None:  # another package's class: only it knows
        return []
    made = BackendClass.of(place)
    return [
        *parameter_faults(declared, made),
        *_values(declared),
        *type_faults(_others(declared), made.annotations()),
        *_packages(declared, made),
        *_source(declared, made),
        *_handler(declared, handler_dir),
    ]


def _handler(declared: ModelDeclaration, handler_dir: str | None) -> Iterator[Fault]:
    if declared.backend == "endpoint":
        yield from endpoint_faults(declared, is_worker=handler_dir is not None)
    if declared.backend == "handler" and handler_dir is not None:
        yield from handler_faults(declared.source, handler_dir)
    if declared.backend == "sklearn":
        yield from estimator_faults(declared, handler_dir)
    adapter = declared.parameters.get("adapter")
    if declared.backend in OF_GRAPHS and isinstance(adapter, str) and handler_dir is not None:
        yield from adapter_faults(declared.source, adapter, handler_dir)


def _others(declared: ModelDeclaration) -> dict[str, Any]:
    """The parameters of whose values `_values` says nothing."""
    return {
        name: given
        for name, given in declared.parameters.items()
        if name != "threads" and not (name in _WORDS and isinstance(given, str))
    }


def _values(declared: ModelDeclaration) -> Iterator[Fault]:
    """Values that backends refuse as they load."""
    for name, words in _WORDS.items():
        given = declared.parameters.get(name)
        if isinstance(given, str) and given not in words:
            hint = meant(given, words) or f"; use {', '.join(words)}"
            yield Fault(f"parameters: {name} {given!r} is none{hint}")
    threads = declared.parameters.get("threads", 0)
    if type(threads) is not int or threads < 0:
        yield Fault(f"parameters: threads {threads!r}: use a whole number, 0 for the runtime's own")


def _packages(declared: ModelDeclaration, made: BackendClass) -> Iterator[Fault]:
    for name in sorted(made.packages()):
        if not _is_installed(name):
            extra = extra_of(declared.backend, name)
            yield Fault(f"backend {declared.backend!r} needs {name}: pip install 'wherry[{extra}]'")


@functools.cache
def _is_installed(name: str) -> bool:
    return name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None


def _source(declared: ModelDeclaration, made: BackendClass) -> Iterator[Fault]:
    source = declared.source or declared.definition.default_model
    if declared.backend not in {"transformers", *OF_GRAPHS} or source is None:
        return  # others say at load what they want; some models come inside a package
    if source.startswith(PACKAGE):
        try:
            locate(source, Path())
        except ValueError as error:
            yield Fault(f"source: {error}: install what brings it")
        return
    folder = Path(source) if Path(source).exists() else cached(source)
    if folder is None:
        yield from _absent(declared, source)
    elif folder.is_file():
        yield Fault(f"source: {folder} is a file: name the folder that it lies in")
    elif folder.is_dir():
        for fault in folder_faults(declared, folder):
            yield Fault(f"source: {fault.text}", fault.is_error)
        if declared.task in _WITH_MODULES:
            yield from (Fault(f"source: {fault.text}") for fault in module_faults(folder))
        if declared.backend == "transformers":
            yield from _architecture(declared, made, folder)


def _architecture(declared: ModelDeclaration, made: BackendClass, folder: Path) -> Iterator[Fault]:
    config, auto_class = read_config(folder), made.auto_class()
    if is_asked(declared, config):
        auto_class = "AutoModelForCausalLM"
        for fault in asked_faults(declared, folder, config):
            yield Fault(f"source: {fault.text}")
    yield from architecture_faults(declared.task, auto_class, config)


def _absent(declared: ModelDeclaration, source: str) -> Iterator[Fault]:
    """A source that is neither here nor in the hub's cache."""
    if Path(source).is_absolute():
        yield Fault(f"source: there is no folder {source}")
    elif declared.backend in OF_GRAPHS:
        yield Fault(f"source: there is no folder {source!r} beside models.toml")
    elif why := why_unreachable():
        yield Fault(
            f"source: there is no folder {source!r} beside models.toml, the hub's cache has no such"
            f" model, and {why}"
        )
