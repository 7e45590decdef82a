"""What a bench found, for people or for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table


def show(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Print rows of the same fields."""
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = Table(*(key.replace("_", " ") for key in rows[0]))
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console(width=max(Console().width, 120)).print(table)
