from __future__ import annotations

from pathlib import Path

import pytest

from wherry.ops.metrics_doc import render
from wherry.telemetry.metric_specs import ALL, MetricSpec

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == render(PAGE.read_text()), "run `make docs`"


@pytest.mark.parametrize("spec", ALL, ids=[spec.name for spec in ALL])
def test_every_metric_is_on_the_page(spec: MetricSpec) -> None:
    assert f"| `{spec.name}` |" in PAGE.read_text()
