"""A folder of models as Triton lays them out: MODEL/model.toml, and a folder for each version."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

#: Says of a model in such a folder what a table of models.toml says, but for its name and source.
DECLARATION = "model.toml"

#: What the folder itself says.
_TAKEN = ("name", "source", "version")


def tables_in(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """A table for each model, as models.toml would have it, and what is wrong with others."""
    tables, faults = [], []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        if place.name.startswith("."):
            continue
        try:
            table = tomllib.loads((place / DECLARATION).read_text())
        except FileNotFoundError:
            faults.append(f"{place}: holds no {DECLARATION}, which says its task and its backend")
            continue
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            faults.append(f"{place / DECLARATION}: {error}")
            continue
        faults += [
            f"{place / DECLARATION}: {field}: the folder says that: leave it out"
            for field in _TAKEN
            if field in table
        ]
        latest: dict[str, Any] = {
            "version_policy": {"latest": {}}
        }  # as Triton's, which an own one replaces
        tables.append({**latest, **table, "name": place.name, "source": place.name})
    return tables, faults
