"""What is told of runs that nobody can read off Redis as it stands."""

from __future__ import annotations

from wherry.api.core.run_views import run_view
from wherry.jobs.run_records import Run, RunProgress, RunState
from wherry.jobs.run_spec import RunSpec


def run_of(*, following: bool, finishing: bool = False) -> Run:
    spec = RunSpec(id="r", source="/data/in", model="m", created_at_ms=1, follow=True)
    progress = RunProgress(
        rows_total=10, done=4, rows_per_s=2.0, following=following, finishing=finishing
    )
    return Run(spec=spec, state=RunState.RUNNING, plan=None, progress=progress)


def test_a_run_that_takes_what_comes_has_no_estimated_end() -> None:
    assert run_view(run_of(following=True))["estimated_end_at"] is None
    for run in (run_of(following=True, finishing=True), run_of(following=False)):
        assert run_view(run)["estimated_end_at"] is not None
