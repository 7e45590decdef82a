"""How an operator wants graphs to be run, beside the device: what ONNX Runtime calls options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnxruntime as ort

from ..base import ModelRefused

_LEVELS = {
    "": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """Options of sessions and of execution providers. Raises ModelRefused for what is none.

    `optimization` is how far a graph is rewritten: disabled, basic, extended or all.
    `session_options` are entries of a session's configuration; `providers` compute before the
    device's own, where they are built in; `provider_options` are their options, by provider.
    `io_binding` binds what goes in and comes out to the device before a run.
    """

    optimization: str = ""
    session_options: Mapping[str, Any] = field(default_factory=dict)
    providers: Sequence[str] = ()
    provider_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    io_binding: bool = False

    def __post_init__(self) -> None:
        if self.optimization not in _LEVELS:
            known = ", ".join(name for name in _LEVELS if name)
            raise ModelRefused(f"optimization {self.optimization!r}: use {known}")
        there = ort.get_available_providers()
        missing = [name for name in self.providers if name not in there]
        if missing:
            raise ModelRefused(
                f"providers: this ONNX Runtime has no {', '.join(missing)}, only {', '.join(there)}"
            )

    def apply(self, options: Any) -> None:  # onnxruntime ships no types
        """Set what concerns a session."""
        options.graph_optimization_level = _LEVELS[self.optimization]
        for name, value in self.session_options.items():
            options.add_session_config_entry(name, _written(value))

    def ordered(self, own: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, dict[str, str]]]:
        """The providers in order, with their options: those asked for, then the device's own."""
        names = list(dict.fromkeys([*self.providers, *own]))
        unused = [name for name in self.provider_options if name not in names]
        if unused:
            raise ModelRefused(
                f"provider_options: {', '.join(unused)} computes nothing here, only "
                f"{', '.join(names)}"
            )
        asked = {
            name: {**own.get(name, {}), **self.provider_options.get(name, {})} for name in names
        }
        return [
            (name, {key: _written(value) for key, value in options.items()})
            for name, options in asked.items()
        ]


def _written(value: object) -> str:
    """A value of TOML as the runtime reads it."""
    return str(int(value)) if isinstance(value, bool) else str(value)
