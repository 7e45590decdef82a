"""What a dashboard is made of, and the ways to ask for what all of them ask.

`$__rate_interval` and variables are Grafana's; a query of a name with colons is a recorded one, of
`ops/prometheus/rules/recorded.yml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Panel:
    """Queries by their legends. `unit` is Grafana's name of it."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    description: str = ""
    kind: Literal["timeseries", "stat"] = "timeseries"
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Rows of panels by their titles; variables by the query that lists their values."""

    name: str
    title: str
    description: str
    rows: Mapping[str, Sequence[Panel]]
    variables: Mapping[str, str] = field(default_factory=dict)


def rate(metric: str, *by: str, labels: str = "") -> str:
    """A gain a second of what processes tell of themselves."""
    return f"sum by ({', '.join(by)}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def of_fleet(asked: str, *by: str) -> str:
    """A value of the fleet, which each API tells alike."""
    return f"sum by ({', '.join(by)}) (max without (instance) ({asked}))"


def fleet_rate(metric: str, *by: str, labels: str = "") -> str:
    """The same of a counter of the fleet."""
    return of_fleet(f"rate({metric}{{{labels}}}[$__rate_interval])", *by)


def quantile(share: float, rates: str) -> str:
    """What a share of what was observed is below, of the rates of a histogram's buckets."""
    return f"histogram_quantile({share}, {rates})"


def mean(metric: str, *by: str, labels: str = "") -> str:
    """A histogram's mean."""
    return (
        f"{rate(f'{metric}_sum', *by, labels=labels)}"
        f" / ({rate(f'{metric}_count', *by, labels=labels)} > 0)"
    )
