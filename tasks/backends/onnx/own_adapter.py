"""The adapter that lies in a model's folder."""

from __future__ import annotations

from pathlib import Path

from ..base import ModelRefused
from ..trusted import run_file, within
from .adapter import Adapter, GraphInfo
from .dialects import wants
from .wiring import Wiring


def own_adapter(
    folder: Path, name: str, trusted: str | Path, task: str, told: GraphInfo, wiring: Wiring
) -> type[Adapter]:
    """The one Adapter that a file of the folder makes, for its graph. Runs the file.

    The adapter sees the graph by its own names where the operator says how it calls them.

    Raises ModelRefused where the operator trusts no such file, or it does not fit.
    """
    if not str(trusted):
        raise ModelRefused(
            f"adapter {name!r}: code in models' folders is off; WHERRY_HANDLER_DIR names where "
            "trusted ones lie"
        )
    try:
        file = within(folder, name, trusted)
    except ValueError as error:
        raise ModelRefused(f"adapter {error}") from None
    try:
        module = run_file(file)
    except Exception as error:  # somebody else's code may raise anything
        raise ModelRefused(f"{file}: {type(error).__name__}: {error}") from error
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Adapter)
        and value.__module__ == module.__name__
        and hasattr(value, "dialect")
    ]
    if len(found) != 1:
        names = ", ".join(cls.__name__ for cls in found) or "none"
        raise ModelRefused(f"{file} has to make one Adapter with a `dialect`; it makes {names}")
    (adapter,) = found
    if task not in adapter.tasks:
        raise ModelRefused(
            f"{file}: {adapter.__name__} does {', '.join(adapter.tasks)}, not {task}"
        )
    seen = wiring.seen(told, adapter)
    if not adapter.accepts(seen.inputs, seen.outputs, seen.config):
        raise ModelRefused(
            f"{file}: {adapter.__name__} does not accept the graph of "
            f"{', '.join(told.inputs)} -> {', '.join(told.outputs)}"
            + (f"; it wants {wanted}" if (wanted := wants(adapter)) else "")
        )
    if misfit := adapter.misfit(seen, named=True):
        raise ModelRefused(f"{file}: {misfit}")
    return adapter
