"""What is looked at before a worker, or a whole stack, starts: seconds, and no weights."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..tasks.catalog import CatalogError, ModelDeclaration
from ..tasks.check import check_model, weigh, with_own_backend
from ..tasks.models_file import load_catalog
from .device import free_bytes, list_gpus, resolve


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check: what is wrong, and what to do."""

    text: str
    #: Whose fault it is; "" for one that concerns all models.
    model: str = ""
    #: False for a warning.
    is_error: bool = True

    def __str__(self) -> str:
        return f"model {self.model!r}: {self.text}" if self.model else self.text


@dataclass(frozen=True, slots=True)
class CheckedModels:
    """A check's findings, and the models that were checked."""

    models: Sequence[ModelDeclaration]
    findings: Sequence[Finding]

    @property
    def fatal(self) -> list[Finding]:
        """What keeps every model from being served."""
        return [f for f in self.findings if f.is_error and not f.model]

    @property
    def errors(self) -> list[Finding]:
        """What keeps some model from being served, or all."""
        return [f for f in self.findings if f.is_error]

    def stopping(self, *, strict: bool) -> list[Finding]:
        """Every error, where one of them keeps workers from starting; none where they may start.

        Whoever mends one starts again, and should not learn of the next one only then.
        """
        return self.errors if strict or self.fatal else []

    @property
    def warnings(self) -> list[Finding]:
        """What may be meant so."""
        return [f for f in self.findings if not f.is_error]


def check(
    path: Path,
    *,
    families: Collection[str] | None = None,
    device: str = "auto",
    number: int = 0,
    per_family: int = 1,
    handler_dir: str | None = None,
    gpus: Callable[[], list[int]] = list_gpus,
) -> CheckedModels:
    """Look at models.toml, each model of some families, and the devices of their workers.

    With `families` they share one worker, that of `number`; else each has `per_family` of its own.
    """
    findings: list[Finding] = []
    rests: Sequence[ModelDeclaration] = ()
    try:
        declared = load_catalog(path, families=families).models
    except CatalogError as error:
        findings = [Finding(line) for line in str(error).split("\n")]
        declared, rests = error.models, error.rests
    served = [m for m in declared if families is None or m.family in families]
    looked_at = [*served, *(m for m in rests if families is None or m.family in families)]
    findings += [
        Finding(fault.text, model.name, fault.is_error)
        for model in looked_at
        for fault in check_model(model, handler_dir=handler_dir)
        # What is left of a declaration may lack a source that was written otherwise.
        if model in served or model.source or not fault.text.startswith("source:")
    ]
    groups = (
        [set(families)] if families else [{family} for family in sorted({m.family for m in served})]
    )
    loads: dict[str, int] = {}
    for index in range(len(groups) * per_family):
        group = groups[index // per_family]
        try:
            found = resolve(device, number + index, gpus)
        except ValueError as error:
            return CheckedModels(served, [Finding(str(error)), *findings])
        weight = sum(weigh(model) for model in served if model.family in group)
        loads[found] = loads.get(found, 0) + weight
    findings = [*_runtimes(loads, served), *findings, *_memory(loads)]
    return CheckedModels(served, findings)


def _runtimes(devices: Iterable[str], models: Sequence[ModelDeclaration]) -> Iterator[Finding]:
    """Whether torch can use the GPUs. One that was named is used or refused; `auto` gives way."""
    gpus = [device for device in devices if device != "cpu"]
    if gpus and any(_is_torch(m) for m in models) and _is_cpu_torch():
        text = f"device {gpus[0]!r}: the torch that is installed is built for CPUs alone"
        yield Finding(text, is_error=not gpus[0].startswith("auto"))


def _is_torch(declared: ModelDeclaration) -> bool:
    try:
        return with_own_backend(declared).backend == "transformers"
    except ValueError:  # a finding of its own
        return False


def _is_cpu_torch() -> bool:
    """Whether torch knows no GPU, as its version.py tells without an import."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = (Path(spec.origin).parent / "version.py").read_text()
    except OSError:
        return False
    told = re.findall(r"^(?:cuda|hip|xpu)\b.*= *(.+)$", text, flags=re.MULTILINE)
    return bool(told) and all(value.strip() == "None" for value in told)


def _memory(loads: dict[str, int]) -> Iterator[Finding]:
    for device, weight in loads.items():
        free = free_bytes(device)
        if free is not None and weight > free:
            yield Finding(
                f"the weights for {device} take {_gib(weight)} and {_gib(free)} of memory are free:"
                ' serve fewer models there, or with dtype = "bfloat16"',
                is_error=False,
            )


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
