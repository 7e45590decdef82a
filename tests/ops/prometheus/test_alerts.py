"""Each alert fires when it should, stays still when it should not, and has a page that says what
to do.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from wherry.telemetry.metric_specs import SPECS

from .cases import CASES, Case

FOLDER = Path(__file__).parents[3] / "ops" / "prometheus"
PAGE = Path(__file__).parents[3] / "docs" / "alerts.md"

#: What a name of ours in a query may go on with, of a histogram.
_PARTS = re.compile("_(bucket|sum|count)$")


def rules() -> list[dict[str, Any]]:
    files = sorted((FOLDER / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
RECORDED = {rule["record"] for rule in rules() if "record" in rule}


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool here: apt-get install prometheus")
    return found


def test_prometheus_takes_the_files(promtool: str) -> None:
    checked = subprocess.run(
        [promtool, "check", "config", FOLDER / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_is_tried() -> None:
    assert set(CASES) == set(ALERTS)


def _firing(name: str, case: Case, series: dict[str, str], *, count: int) -> dict[str, Any]:
    expected = [{"labels": "{}", "value": count}] if count else []
    return {
        "name": f"{name} {'fires' if count else 'is still'}",
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})',
                "eval_time": f"{case.minute}m",
                "exp_samples": expected,
            }
        ],
    }


def test_alerts_fire_when_they_should_and_no_sooner(promtool: str, tmp_path: Path) -> None:
    tests = [
        _firing(name, case, series, count=count)
        for name, case in CASES.items()
        for series, count in ((case.fires, 1), (case.still, 0))
    ]
    files = [str(path) for path in sorted((FOLDER / "rules").glob("*.yml"))]
    written = tmp_path / "alerts.yml"
    written.write_text(
        yaml.safe_dump({"rule_files": files, "evaluation_interval": "1m", "tests": tests})
    )
    tried = subprocess.run(
        [promtool, "test", "rules", written], capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_has_a_page(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket", "notice")
    assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{name.lower()}"
    sections = dict(
        re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    )
    said = sections[name]
    for part in ("**Means.**", "**Look.**", "**Do.**"):
        assert part in said, (name, part)


def test_there_is_no_page_of_an_alert_that_is_gone() -> None:
    assert set(re.findall(r"^### (\w+)", PAGE.read_text(), re.MULTILINE)) == set(ALERTS)


def test_rules_ask_for_metrics_that_there_are() -> None:
    asked = {
        name
        for rule in rules()
        for name in re.findall(r"\b(?:wherry|nv)[_:][a-z0-9_:]+", rule["expr"])
    }
    known = set(SPECS) | RECORDED
    assert {
        name for name in asked if name not in known and _PARTS.sub("", name) not in known
    } == set()


def test_what_to_watch_names_what_there_is() -> None:
    page = (PAGE.parent / "operations.md").read_text()
    rows = re.findall(r"^\| .* \|$", page[page.index("Signs, most urgent first") :], re.MULTILINE)[
        1:
    ]
    told = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    told = [row for row in told if len(row) == 4]
    metrics = {name for row in told for name in re.findall(r"`(\w+)`", row[1])} - {"up"}
    alerts = {name for row in told for name in re.findall(r"\[(\w+)\]", row[2])}
    panels = {title for row in told for title in row[3].rstrip(" |").split("; ") if title}
    drawn = {
        panel["title"]
        for path in (FOLDER.parent / "grafana" / "dashboards").glob("*.json")
        for panel in json.loads(path.read_text())["panels"]
    }
    assert metrics <= set(SPECS)
    assert alerts == set(ALERTS), "each alert is the alert of a sign"
    assert panels <= drawn
