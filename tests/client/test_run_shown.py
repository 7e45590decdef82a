"""How runs are printed: of a million rows, while they wait, in a log, in a narrow terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from wherry.client import Client, run_shown
from wherry.client.run_shown import lines_of, show_runs, watched, words_of
from wherry.client.run_views import RunView
from wherry.client.terminal import Output

_ROWS = {"total": 1_000_000, "read": 400_512, "answered": 399_000, "failed": 1_000}


def run_of(**changed: Any) -> RunView:
    """A run of a million rows, amid them."""
    document = {
        "id": "run_01977a3e5f0c7cc29d0e3f4b5a6c7d8e",
        "name": "photos of a harbour",
        "state": "running",
        "model": "object-detection",
        "version": "1",
        "parameters": {"threshold": 0.5},
        "source": "s3://bucket/photos",
        "created_at": "2026-11-29T18:00:00Z",
        "started_at": "2026-11-29T18:00:01Z",
        "rows": {**_ROWS, "reused": 9_000, "in_flight": 512},
        "rows_per_s": 812.5,
        "estimated_end_at": datetime.now(UTC) + timedelta(minutes=12.5),
        "device_seconds": 1_234.5,
        "max_device_seconds": 5_000.0,
        "max_errors": 20_000,
        "deadline_s": 86_400.0,
        "shards": {"total": 200, "done": 79, "running": 2},
        **changed,
    }
    return RunView.model_validate(document)


def test_a_run_in_full_has_its_progress_what_is_left_and_what_it_uses() -> None:
    told = {label: str(text) for label, text in lines_of(run_of())}
    assert told["rows"] == (
        "399,000 answered (9,000 reused), 1,000 failed, 512 in flight, of 1,000,000 (40%)"
    )
    assert told["pace"] == "812.5 rows/s"
    assert told["ends"].startswith("in 12 m, 20")
    assert told["device"] == "1,234.5 s of 5,000 at most (25%)"
    assert told["limits"] == "20,000 rows may fail, it may take 24 h"
    assert told["asked"] == "threshold=0.5"
    assert told["began"] == "2026-11-29 18:00:01 UTC"
    ended = run_of(
        state="succeeded",
        ended_at="2026-11-29T18:20:01Z",
        estimated_end_at=None,
        expires_at="2026-12-29T18:20:01Z",
    )
    told = {label: str(text) for label, text in lines_of(ended)}
    assert told["ended"] == "2026-11-29 18:20:01 UTC, after 20 m, kept until 2026-12-29"


def test_a_run_that_waits_has_no_pace_beside_its_bar() -> None:
    assert words_of(run_of()) == "running, 812 rows/s, 12 m left, 1,234 device s"
    waits = {"step": "shards", "reason": "no worker takes jobs of it", "since": datetime.now(UTC)}
    assert words_of(run_of(waiting_for=waits)) == "running, waits: no worker takes jobs of it"
    for state in ("held", "paused", "merging"):
        assert words_of(run_of(state=state)) == f"{state}, 1,234 device s"
        labels = [label for label, _ in lines_of(run_of(state=state))]
        assert "pace" not in labels
        assert "ends" not in labels


def shown_in(monkeypatch: pytest.MonkeyPatch, width: int, *, terminal: bool) -> io.StringIO:
    """Where both of a command's outputs go."""
    file = io.StringIO()
    console = Output(file=file, force_terminal=terminal, color_system=None)
    monkeypatch.setenv("COLUMNS", str(width))
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(run_shown, name, console)
    monkeypatch.setattr(run_shown, "show", lambda shown: console.print(shown, crop=False))
    return file


def client_of(runs: list[RunView]) -> Client:
    """A client whose run stands so, one time after another."""

    def wait(run_id: str, *, observer: Callable[[RunView], None]) -> RunView:
        for run in runs:
            observer(run)
        return runs[-1]

    return cast("Client", SimpleNamespace(runs=SimpleNamespace(wait=wait)))


def test_a_log_has_a_line_for_each_state_and_each_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    file = shown_in(monkeypatch, 80, terminal=False)
    runs = [run_of(state="planning", rows={"total": None}, rows_per_s=0, estimated_end_at=None)]
    runs += [run_of(rows={"total": 1_000_000, "answered": n}) for n in range(0, 1_000_000, 1_000)]
    runs += [run_of(state="merging", rows=_ROWS), run_of(state="succeeded", rows=_ROWS)]
    watched(client_of(runs), "r", as_json=False)
    lines = [line for line in file.getvalue().splitlines() if " rows, " in line]
    assert len(lines) == 1 + 10 + 2
    assert lines[0] == "0 rows, planning, 0 rows/s, 1,234 device s"
    assert lines[3].startswith("200,000 of 1,000,000 rows, running, 812 rows/s, 12 m left")
    assert "━" not in file.getvalue().partition("id ")[0]


def test_a_narrow_terminal_loses_nothing_of_a_bar_and_a_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = shown_in(monkeypatch, 60, terminal=True)
    watched(client_of([run_of()]), "r", as_json=False)
    told = file.getvalue()
    assert "400,000 of 1,000,000 rows, running, 812 rows/s" in told
    assert "…" not in told
    wide = shown_in(monkeypatch, 120, terminal=True)
    watched(client_of([run_of()]), "r", as_json=False)
    assert "400,000 of 1,000,000 rows" in wide.getvalue()
    assert "━" in wide.getvalue().partition("id ")[0]
    assert "run_01977a3e5f0c7cc29d0e3f4b5a6c7d8e" in told


def test_a_list_has_the_beginning_of_each_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = {"error_type": "invalid_request", "message": "nowhere: " + "a long remedy; " * 30}
    failed = run_of(state="failed", error=fault)
    monkeypatch.setenv("COLUMNS", "200")
    show_runs([failed, failed], as_json=False)
    assert all(len(line) < 230 for line in capsys.readouterr().err.splitlines())
    show_runs([failed], as_json=False)
    assert "a long remedy; " * 30 in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "remedy"),
    [
        ({"state": "canceled"}, "a retry answers the rest"),
        ({"state": "expired"}, "a retry answers the rest"),
        ({"error": {"error_type": "too_many_errors", "message": "4 rows failed"}}, "max_errors"),
        (
            {"error": {"error_type": "too_much_device_time", "message": "9 s"}},
            "max_device_seconds",
        ),
    ],
)
def test_a_run_without_an_output_says_what_to_do(told: dict[str, Any], remedy: str) -> None:
    failure = run_of(**told).failure()
    assert failure is not None
    assert remedy in failure.message
