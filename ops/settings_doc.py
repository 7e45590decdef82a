"""docs/settings.md, from the settings classes: `make docs`."""

from __future__ import annotations

import sys
from typing import Any

from pydantic_settings import BaseSettings

from ..api.settings import ApiSettings
from ..client.address import DEFAULT_URL
from ..jobs.settings import JobsSettings
from ..runs.settings import RunSettings
from ..telemetry.metrics_settings import MetricsSettings
from ..telemetry.settings import TelemetrySettings
from ..workers.settings import WorkerSettings

_SECTIONS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("Queue and blobs: the API and every worker", JobsSettings),
    ("API", ApiSettings),
    ("Workers", WorkerSettings),
    ("Run workers", RunSettings),
    ("Metrics: every process", MetricsSettings),
    ("Traces and logs: all of them", TelemetrySettings),
)

_HEAD = """\
# Settings

Every setting is an environment variable, read once when a process starts. `wherry up` sets
`WHERRY_REDIS_URL`, `WHERRY_MODELS`, `WHERRY_DEVICE`, `WHERRY_STORE_DIR`, `WHERRY_API_URL` and
`WHERRY_RUN_DIR` for the processes it starts and hands all others on. A variable of that prefix that
is no setting is remarked on in the log, with the nearest one there is. This page is made by
`make docs` from the settings classes.
"""

_TABLE = ["| variable | default | meaning |", "|---|---|---|"]


def render() -> str:
    """The page as Markdown."""
    lines = _HEAD.splitlines()
    for title, settings in _SECTIONS:
        prefix = settings.model_config.get("env_prefix", "")
        rows = [
            _row(prefix + name, field.default, field.description)
            for name, field in settings.model_fields.items()
        ]
        lines += ["", f"## {title}", "", *_TABLE, *rows]
    url = _row("wherry_url", DEFAULT_URL, "The server that the client and its commands talk to.")
    lines += ["", "## Client", "", *_TABLE, url]
    return "\n".join(lines) + "\n"


def _row(name: str, default: Any, meaning: str | None) -> str:
    """One line of a table. A default may be of any type that settings have."""
    shown = "" if default in (None, "") else f"`{default}`"
    return f"| `{name.upper()}` | {shown} | {(meaning or '').replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    sys.stdout.write(render())
