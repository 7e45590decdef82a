"""`wherry scaling`: how many workers are wanted, and why."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Group, RenderableType

from .terminal import AsJson, Url, connected, print_json, show, table

#: Why so many, in words.
_BECAUSE = {
    "work": "for what waits, runs and goes on coming",
    "held": "were wanted lately",
    "running": "each runs something",
    "min": "no fewer are allowed",
    "max": "no more are allowed",
    "idle": "nothing to do",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("scaling")(scaling)


def scaling(url: Url = "", as_json: AsJson = False) -> None:
    """Show how many workers each family wants, by what its jobs will take."""
    with connected(url) as client:
        found = client.get("/v2/scaling")
    if as_json:
        print_json(found)
    else:
        show(scaling_table(found))


def scaling_table(found: dict[str, Any]) -> RenderableType:
    """The families, and below the models that they have work of."""
    titles = ("family", "waiting", "running", "device time", "workers", "wanted", "because")
    families = [
        (
            each["family"],
            str(each["waiting"]),
            str(each["running"]),
            f"{each['predicted_device_seconds']:.1f} s",
            str(each["workers"]),
            str(each["desired_workers"]),
            _BECAUSE.get(str(each["because"]), str(each["because"])),
        )
        for each in found["families"]
    ]
    models = [
        (
            f"{each['model']}:{each['version']}",
            str(each["waiting"]),
            f"{each['waiting_rows']:.0f}",
            str(each["running"]),
            f"{each['predicted_device_seconds']:.1f} s",
            "" if each["known"] else "assumed: none of its batches has ended",
        )
        for family in found["families"]
        for each in family["models"]
    ]
    shown = table(titles, families, fold="because")
    if not models:
        return shown
    seen = ("model", "waiting", "rows", "running", "device time", "note")
    return Group(shown, table(seen, models, fold="note"))
