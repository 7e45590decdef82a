"""Writes the dashboards: `python -m wherry.ops.grafana.build ops/grafana/dashboards`.

What they show is in the modules beside.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .fleet import FLEET
from .model import MODEL
from .others import BULK_RUN, GPU, TENANT
from .panels import Dashboard, Panel

#: Grafana's grid is so wide; a panel is so high.
_WIDTH, _HEIGHT = 24, 8

#: The schema of dashboards that Grafana 10 and newer read.
_SCHEMA = 39

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass
class _Grid:
    """Where the next panel goes."""

    x: int = 0
    y: int = 0
    ids: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def place(self, width: int, height: int) -> dict[str, int]:
        if self.x + width > _WIDTH:
            self.begin_row()
        at = {"h": height, "w": width, "x": self.x, "y": self.y}
        self.x += width
        return at

    def begin_row(self) -> None:
        if self.x:
            self.x, self.y = 0, self.y + _HEIGHT


def dashboard(told: Dashboard) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    grid, panels = _Grid(), list[dict[str, Any]]()
    for title, row in told.rows.items():
        grid.begin_row()
        at = {"h": 1, "w": _WIDTH, "x": 0, "y": grid.y}
        panels.append(
            {"id": next(grid.ids), "type": "row", "title": title, "gridPos": at, "panels": []}
        )
        grid.y += 1
        width = max(6, _WIDTH // len(row))
        panels += [_panel(panel, next(grid.ids), grid.place(width, _HEIGHT)) for panel in row]
    return {
        "uid": f"wherry-{told.name}",
        "title": f"Wherry: {told.title}",
        "description": told.description,
        "tags": ["wherry"],
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": _SCHEMA,
        "version": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [
            {"type": "dashboards", "tags": ["wherry"], "title": "Wherry", "asDropdown": True}
        ],
        "templating": {"list": [_datasource(), *map(_variable, told.variables.items())]},
        "panels": panels,
    }


def _panel(panel: Panel, number: int, at: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 10}}
    if panel.stacked:
        defaults["custom"]["stacking"] = {"mode": "normal"}
    if panel.unit == "percentunit":
        defaults["max"] = 1
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [
            {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend}
            | {"datasource": _SOURCE}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area"},
}


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
    }


def _variable(named: tuple[str, str]) -> dict[str, Any]:
    name, query = named
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def write(folder: Path) -> None:
    """Write all dashboards."""
    for told in (FLEET, MODEL, TENANT, BULK_RUN, GPU):
        text = json.dumps(dashboard(told), indent=1, ensure_ascii=False)
        (folder / f"{told.name}.json").write_text(text + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
