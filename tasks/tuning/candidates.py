"""What can serve a model on a device, beside what its source is made for."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from ..backends.cuda_candidates import CudaFacts, cuda_candidates
from ..backends.onnx.files import graphs_of, main_graph
from ..backends.onnx.weights import stored_in
from ..catalog import OF_GRAPHS, ModelDeclaration
from ..check.folder import read_config, weight_files
from ..check.own_backend import able_backends, folder_of, takes_parameters, with_own_backend
from .identity import flags, versions

#: Backends of graphs on CPUs -> the packages of which each needs one.
_RUNTIMES: Mapping[str, Collection[str]] = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
}

_CUDA, _TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"

#: How a model is loaded where nothing is said.
_USUAL = {"dtype": "float32", "attention": "sdpa"}

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

#: Tasks of which only a model itself knows what its rows are: there is none to compare answers by.
_OF_UNKNOWN_ROWS = frozenset({"tensor"})


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
    precision = str(declared.parameters.get("dtype", "float32"))
    if declared.backend in OF_GRAPHS and (folder := folder_of(declared)) is not None:
        precision = _stored_in(declared, folder)
    return Contender(
        backend=declared.backend,
        precision=precision,
        parameters=dict(declared.parameters),
        source=declared.source,
    )


def _stored_in(declared: ModelDeclaration, folder: Path) -> str:
    """What the weights of a folder's graph are, whatever it is called."""
    try:
        return stored_in(
            main_graph(folder, str(declared.parameters.get("file", "")), declared.task)
        )
    except ValueError:  # of several, or none: what it takes to load says so
        return "float32"


def other_candidates(
    declared: ModelDeclaration, own: str, device: str, units: Collection[str]
) -> list[Contender]:
    """The other ways to run it on a device whose CPU has these units."""
    if own not in ("transformers", *OF_GRAPHS) or declared.task in _OF_UNKNOWN_ROWS:
        return []
    if device != "cpu":
        return [*_on_gpu(declared, own)]
    exact = [*_graphs(declared, own)]
    fast = _fast(declared, own, units, exact) if declared.precision == "fast" else ()
    return [*exact, *fast]


def _graphs(declared: ModelDeclaration, own: str) -> Iterator[Contender]:
    """Runtimes of graphs on a CPU, in float32."""
    able = able_backends(declared.task)
    for backend, packages in _RUNTIMES.items():
        if backend == own or backend not in able:
            continue
        if any(package in versions() for package in packages):
            yield from _graph(declared, own, backend)


def barred(declared: ModelDeclaration, device: str) -> list[tuple[Contender, str]]:
    """The runtimes of graphs that would be tried but for a parameter, and which it is."""
    own = with_own_backend(declared).backend
    if own not in ("transformers", *OF_GRAPHS):
        return []
    found = []
    for backend in _RUNTIMES:
        theirs = [name for name in declared.parameters if not _takes(declared, backend, name)]
        kept = {k: v for k, v in declared.parameters.items() if k not in theirs}
        free = declared.model_copy(update={"parameters": kept})
        if theirs:
            why = f"it does not take {', '.join(theirs)}"
            found += [
                (each, why)
                for each in other_candidates(free, own, device, ())
                if each.backend == backend
            ]
    return found


def _takes(declared: ModelDeclaration, backend: str, name: str) -> bool:
    """Whether a backend takes one of the parameters."""
    alone = {name: declared.parameters[name]}
    return takes_parameters(declared.model_copy(update={"parameters": alone}), backend)


def _graph(
    declared: ModelDeclaration, own: str, backend: str, remark: str = "", **parameters: Any
) -> Iterator[Contender]:
    """A backend over the graphs that the folder brings, or over the fleet's export; none where
    there is neither, or where the declaration has parameters that it does not take.
    """
    if not takes_parameters(declared, backend):
        return
    folder = folder_of(declared)
    graphs = [] if folder is None else graphs_of(folder)
    brought = any(not _FEWER_BITS.search(graph.stem) for graph in graphs) or own != "transformers"
    precision = "float32" if folder is None or not brought else _stored_in(declared, folder)
    if own == "transformers" and precision != "float32" and declared.precision == "exact":
        brought, precision = False, "float32"
    if brought or can_be_exported(declared, folder):
        told = "the folder's graph" if brought and own == "transformers" else ""
        yield Contender(
            backend=backend,
            precision=precision,
            parameters={**declared.parameters, **parameters},
            source=declared.source if brought else None,
            remark=", ".join(filter(None, (told, remark))),
        )


def _on_gpu(declared: ModelDeclaration, own: str) -> Iterator[Contender]:
    """What a GPU may be tried with; what it lacks is refused as it is tried."""
    has_gpu_runtime = "onnxruntime-gpu" in versions()
    providers = [_CUDA, *([_TENSORRT] if "tensorrt" in versions() else [])]
    facts = CudaFacts(
        bfloat16=True,
        flash_attention=importlib.util.find_spec("flash_attn") is not None,
        providers=providers if has_gpu_runtime else (),
    )
    for backend, said in cuda_candidates(facts, exact=declared.precision == "exact"):
        if said.keys() & declared.parameters.keys():
            continue  # which settles it
        if backend in OF_GRAPHS:
            remark = "TensorRT" if said else "CUDA"
            if backend != own or said:
                yield from _graph(declared, own, backend, remark, **said)
        elif own == "transformers" and said != _USUAL:
            yield Contender(
                backend=backend,
                precision=str(said["dtype"]),
                parameters={**declared.parameters, **said},
                source=declared.source,
                remark=str(said["attention"]),
            )


def _fast(
    declared: ModelDeclaration, own: str, units: Collection[str], exact: Collection[Contender]
) -> Iterator[Contender]:
    """The same in fewer bits, where the CPU computes in them, and int8 graphs of the folder."""
    has_bfloat16 = bool(_BFLOAT16_UNITS & set(units))
    if own == "transformers" and has_bfloat16 and "dtype" not in declared.parameters:
        plain = replace(own_candidate(declared), backend=own, precision="bfloat16")
        yield plain.with_parameters(dtype="bfloat16")
    for each in exact:
        if has_bfloat16 and each.backend in _BFLOAT16:
            yield replace(each, precision="bfloat16").with_parameters(**_BFLOAT16[each.backend])
    runtimes = dict.fromkeys(
        name for name in (own, *(each.backend for each in exact)) if name in OF_GRAPHS
    )
    for file in int8_graphs(declared):
        for backend in runtimes:
            plain = replace(own_candidate(declared), backend=backend, precision="int8", remark=file)
            yield plain.with_parameters(file=file)


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
