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

_CLIENT = (
    ("wherry_url", DEFAULT_URL, "The server that the client and its commands talk to."),
    ("wherry_api_key", "", "The API key that they show."),
    ("wherry_api_key_file", "", "A file that holds it."),
    (
        "wherry_ca_file",
        "",
        "PEM file of authorities that they trust for https:// besides the usual; run workers too.",
    ),
)

_OPERATOR = """\
## Commands that start services

These are options as well, but for passwords: every user of a machine sees the options of its
processes."""

_COMMANDS = (
    ("wherry_redis_password", "", "Of the Redis that `wherry up` or `wherry redis` starts."),
    ("wherry_redis_password_file", "", "A file that holds it."),
    ("wherry_redis_memory", "", "What that Redis may hold, as 2gb; half of the memory if empty."),
    ("wherry_redis_host", "127.0.0.1", "Where `wherry redis` listens beside loopback."),
    ("wherry_redis_port", "6379", "Its port."),
    ("wherry_host", "127.0.0.1", "Where `wherry api` listens."),
    ("wherry_port", "8750", "Its port."),
    ("wherry_flower_auth", "", "Flower's name:password; with it, `wherry up --host` opens Flower."),
    ("wherry_flower_host", "127.0.0.1", "Where `wherry flower` listens."),
    ("wherry_flower_port", "5555", "Its port."),
    ("wherry_tls_cert", "", "Certificate (PEM) of `wherry api`, `wherry flower`, `wherry redis`."),
    ("wherry_tls_key", "", "Its key."),
    (
        "wherry_join_*",
        "",
        "What `wherry join-file` writes for a worker elsewhere, and `wherry up` for that command.",
    ),
)

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
    lines += ["", "## Client", "", *_TABLE, *(_row(*each) for each in _CLIENT)]
    lines += ["", _OPERATOR, "", *_TABLE, *(_row(*each) for each in _COMMANDS)]
    return "\n".join(lines) + "\n"


def _row(name: str, default: Any, meaning: str | None) -> str:
    """One line of a table. A default may be of any type that settings have."""
    shown = "" if default in (None, "") else f"`{default}`"
    return f"| `{name.upper()}` | {shown} | {(meaning or '').replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    sys.stdout.write(render())
