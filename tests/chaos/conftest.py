"""Chaos runs: a seed that repeats one, a short and a full form, one table at the end.

`make chaos` runs the full form (WHERRY_CHAOS=full), `pytest -m chaos` the short one.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from wherry.ops import child

from .ledger import Ledger, is_full

_LEDGER = pytest.StashKey[Ledger]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--chaos-seed", type=int, help="Repeat the chances of an earlier run.")
    group.addoption("--chaos-json", type=Path, help="Write the table as JSON to this file.")


def pytest_configure(config: pytest.Config) -> None:
    seed = config.getoption("--chaos-seed", None)
    fresh = random.SystemRandom().randrange(10**6)
    config.stash[_LEDGER] = Ledger(fresh if seed is None else seed)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        seed = item.config.stash[_LEDGER].seed
        report.sections.append(("chaos", f"to repeat its chances: --chaos-seed {seed}"))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    ledger = config.stash[_LEDGER]
    if not ledger.rows:
        return
    terminalreporter.section(f"chaos, seed {ledger.seed}")
    for line in ledger.lines():
        terminalreporter.write_line(line)
    path: Path | None = config.getoption("--chaos-json", None)
    if path:
        path.write_text(ledger.as_json() + "\n")


@pytest.fixture(scope="package", autouse=True)
def prompt_supervisor() -> Iterator[None]:
    """What was killed starts again half a second later, however often: kills are what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "_LAST_WAIT_S", 0.5)
        yield


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether this is the long run, whose figures are quoted."""
    return is_full()


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Ledger:
    """Where a test records what it injected and saw."""
    return request.config.stash[_LEDGER]


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """This test's own chances: the same for one seed, whatever ran before."""
    seed = request.config.stash[_LEDGER].seed
    return random.Random(f"{seed} {request.node.nodeid}")
