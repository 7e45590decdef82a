"""What can serve a model on a device, beside what its source is made for."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from ..backends.onnx.files import graphs_of
from ..catalog import OF_GRAPHS, ModelDeclaration
from ..check.folder import read_config, weight_files
from ..check.own_backend import able_backends, folder_of, takes_parameters, with_own_backend
from .identity import flags, versions

#: Backends of graphs -> the packages of which each needs one, for CPUs and for GPUs.
_RUNTIMES: Mapping[str, tuple[Collection[str], Collection[str]]] = {
    "onnxruntime": (("onnxruntime", "onnxruntime-gpu"), ("onnxruntime-gpu",)),
    "openvino": (("openvino",), ()),
}

_TENSORRT = "TensorrtExecutionProvider"

#: What it takes to have a backend of graphs compute in another precision than float32.
_BFLOAT16 = {"openvino": {"precision": "fast"}}

#: What exporters call the graphs of 8 bits.
_INT8 = re.compile(r"_(quantized|q8|u?int8|qu?int8_\w+)$")

#: And those that are not of float32 either.
_FEWER_BITS = re.compile(r"_(quantized|fp16|bf16|bnb4|q\d\w*|u?int8|qu?int8_\w+)$")

#: A CPU that has units for bfloat16.
_BFLOAT16_UNITS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})

#: Tasks whose models write, token by token: an export of the fleet's own is not tried.
_WRITE = frozenset(
    {
        *("chat", "summarization", "text-generation", "text2text-generation", "translation"),
        "text-to-speech",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
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

    def with_parameters(self, **parameters: Any) -> Self:
        """The same with more parameters."""
        return replace(self, parameters={**self.parameters, **parameters})


def candidates_of(declared: ModelDeclaration, device: str) -> list[Contender]:
    """The ways to run a model on a device (cpu, cuda:N), what its source is made for first.

    Raises ValueError where nothing does its task.
    """
    own = with_own_backend(declared)
    return [own_candidate(own), *other_candidates(declared, own.backend, device, flags())]


def own_candidate(declared: ModelDeclaration) -> Contender:
    """What the source of a declaration is made for, which names its backend by now."""
    return Contender(
        backend=declared.backend, parameters=dict(declared.parameters), source=declared.source
    )


def other_candidates(
    declared: ModelDeclaration, own: str, device: str, units: Collection[str]
) -> list[Contender]:
    """The other ways to run it on a device whose CPU has these units."""
    if own not in ("transformers", *OF_GRAPHS):
        return []
    exact = [*_graphs(declared, own, device)]
    fast = _fast(declared, own, device, units, exact) if declared.precision == "fast" else ()
    return [*exact, *fast]


def _graphs(declared: ModelDeclaration, own: str, device: str) -> Iterator[Contender]:
    """Runtimes of graphs, in float32."""
    folder = folder_of(declared)
    graphs = [] if folder is None else graphs_of(folder)
    brought = any(not _FEWER_BITS.search(graph.stem) for graph in graphs) or own != "transformers"
    if not (brought or can_be_exported(declared, folder)):
        return
    for backend in _runtimes(declared.task, device):
        if backend == own or not takes_parameters(declared, backend):
            continue
        plain = Contender(
            backend=backend,
            parameters=dict(declared.parameters),
            source=declared.source if brought else None,
            remark="the folder's graph" if brought and own == "transformers" else "",
        )
        yield plain
        if device != "cpu" and importlib.util.find_spec("tensorrt"):
            yield replace(plain, remark="TensorRT").with_parameters(providers=[_TENSORRT])


def _runtimes(task: str, device: str) -> Iterator[str]:
    """Those of graphs that do a task and are installed for a device."""
    able = able_backends(task)
    for backend, (on_cpus, on_gpus) in _RUNTIMES.items():
        wanted = on_cpus if device == "cpu" else on_gpus
        if backend in able and any(package in versions() for package in wanted):
            yield backend


def _fast(
    declared: ModelDeclaration,
    own: str,
    device: str,
    units: Collection[str],
    exact: Collection[Contender],
) -> Iterator[Contender]:
    """The same in fewer bits, where the device computes in them, and int8 graphs of the folder."""
    has_bfloat16 = device != "cpu" or bool(_BFLOAT16_UNITS & set(units))
    if own == "transformers" and "dtype" not in declared.parameters:
        dtypes = ["bfloat16"] if has_bfloat16 else []
        for dtype in (*dtypes, *(["float16"] if device != "cpu" else [])):
            yield replace(own_candidate(declared), backend=own, precision=dtype).with_parameters(
                dtype=dtype
            )
    for each in exact:
        if has_bfloat16 and each.backend in _BFLOAT16:
            yield replace(each, precision="bfloat16").with_parameters(**_BFLOAT16[each.backend])
    runtimes = dict.fromkeys(
        name for name in (own, *(each.backend for each in exact)) if name in OF_GRAPHS
    )
    for file in int8_graphs(declared):
        for backend in runtimes:
            yield replace(
                own_candidate(declared), backend=backend, precision="int8", remark=file
            ).with_parameters(file=file)


def int8_graphs(declared: ModelDeclaration) -> list[str]:
    """The graphs of 8 bits that a model's folder brings, by their paths in it."""
    folder = folder_of(declared)
    if folder is None or "file" in declared.parameters:
        return []
    return [
        str(graph.relative_to(folder)) for graph in graphs_of(folder) if _INT8.search(graph.stem)
    ]


def can_be_exported(declared: ModelDeclaration, folder: Path | None) -> bool:
    """Whether the fleet writes graphs of such a model by itself."""
    from ..export import exported_tasks

    if declared.task not in exported_tasks() or declared.task in _WRITE:
        return False
    if folder is None or not weight_files(folder):
        return False
    saved = [str(name) for name in read_config(folder).get("architectures") or ()]
    return not any("ConditionalGeneration" in name or "CausalLM" in name for name in saved)
