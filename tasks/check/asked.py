"""Whether anybody says how a causal language model is asked to rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..backends.text.reranker_layouts import UNTOLD
from ..backends.text.sentence_modules import MODULES_FILE
from ..catalog import ModelDeclaration
from .fault import Fault


def is_asked(declared: ModelDeclaration, config: Mapping[str, Any]) -> bool:
    """Whether it is a language model that is to rank."""
    saved = (str(name) for name in config.get("architectures") or ())
    return declared.task == "ranking" and any(name.endswith("ForCausalLM") for name in saved)


def asked_faults(
    declared: ModelDeclaration, folder: Path, config: Mapping[str, Any]
) -> Iterator[Fault]:
    """One where neither the declaration nor the folder says it."""
    modules = folder / MODULES_FILE
    told = (
        declared.parameters.get("template")
        or declared.parameters.get("classifier_from_token")
        or config.get("classifier_from_token")
        or (modules.is_file() and ".LogitScore" in modules.read_text(encoding="utf-8"))
    )
    if not told:
        yield Fault(UNTOLD)
