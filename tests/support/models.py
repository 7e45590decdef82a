"""Models of a models.toml."""

from __future__ import annotations

import json


def model(
    name: str,
    task: str = "",
    *,
    backend: str = "stub",
    source: str = "",
    version: str = "",
    max_batch_size: int | None = None,
    **parameters: object,
) -> str:
    """The declaration of a model, of the task of its name unless told otherwise."""
    given = {
        "name": name,
        "task": task or name,
        "backend": backend,
        "source": source or None,
        "version": version or None,
        "max_batch_size": max_batch_size,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in given.items() if value is not None]
    inside = ", ".join(f"{key} = {json.dumps(value)}" for key, value in parameters.items())
    if inside:
        lines.append(f"parameters = {{ {inside} }}")
    return "\n".join(["[[models]]", *lines, ""])
