from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from wherry.api.settings import ApiSettings
from wherry.jobs.settings import JobsSettings
from wherry.ops.settings_doc import render
from wherry.telemetry.metrics_settings import MetricsSettings
from wherry.telemetry.settings import TelemetrySettings
from wherry.workers.settings import WorkerSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROOMS = [ApiSettings, JobsSettings, MetricsSettings, TelemetrySettings, WorkerSettings]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == render(), "run `make docs`"


@pytest.mark.parametrize("settings", ROOMS)
def test_every_setting_is_described_and_has_our_prefix(settings: type[BaseSettings]) -> None:
    assert settings.model_config["env_prefix"] == "WHERRY_"
    for name, field in settings.model_fields.items():
        assert field.description, name
        assert f"`WHERRY_{name.upper()}`" in render()


@pytest.mark.parametrize("settings", ROOMS)
def test_a_duration_or_size_carries_its_unit(settings: type[BaseSettings]) -> None:
    for name, field in settings.model_fields.items():
        if field.annotation is float:
            assert name.endswith(("_s", "_ms", "_weight")), name


def test_secrets_have_no_default_to_show() -> None:
    assert JobsSettings.model_fields["s3_secret_access_key"].default is None
