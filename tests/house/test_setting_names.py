"""Settings are known by name to every process, though each reads those of its own rooms."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs.setting_names import SETTINGS, remarks
from wherry.jobs.settings import JobsSettings
from wherry.runs.settings import RunSettings
from wherry.telemetry.metrics_settings import MetricsSettings
from wherry.telemetry.settings import TelemetrySettings
from wherry.workers.settings import WorkerSettings


def test_every_setting_is_known() -> None:
    rooms = (
        JobsSettings,
        ApiSettings,
        WorkerSettings,
        RunSettings,
        MetricsSettings,
        TelemetrySettings,
    )
    assert {name for room in rooms for name in room.model_fields} == SETTINGS


def test_what_is_none_is_told_with_the_nearest_there_is() -> None:
    given = {
        "WHERRY_MAX_WATING": "secret",
        "WHERRY_ZZZZ": "secret",
        "WHERRY_LEASE_TTL_S": "5",
        "WHERRY_URL": "http://localhost",
        "PATH": "/bin",
    }
    assert remarks(given) == [
        "WHERRY_MAX_WATING is no setting, nobody reads it; did you mean 'WHERRY_MAX_WAITING'?",
        "WHERRY_ZZZZ is no setting, nobody reads it",
    ]


def test_a_process_says_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERRY_LEASE_TLL_S", "5")
    code = (
        "from wherry.jobs.settings import JobsSettings, from_environment\n"
        "from wherry.workers.settings import WorkerSettings\n"
        "[from_environment(kind) for kind in (JobsSettings, WorkerSettings)]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [
        "WHERRY_LEASE_TLL_S is no setting, nobody reads it; did you mean 'WHERRY_LEASE_TTL_S'?"
    ]
