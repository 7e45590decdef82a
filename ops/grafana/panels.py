"""What the dashboards show: rows of panels, and what each asks Prometheus.

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


def _rate(metric: str, *by: str, labels: str = "") -> str:
    """A gain a second of what processes tell of themselves."""
    return f"sum by ({', '.join(by)}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def _fleet(asked: str, *by: str) -> str:
    """A value of the fleet, which each API tells alike."""
    return f"sum by ({', '.join(by)}) (max without (instance) ({asked}))"


def _fleet_rate(metric: str, *by: str, labels: str = "") -> str:
    return _fleet(f"rate({metric}{{{labels}}}[$__rate_interval])", *by)


def _quantile(share: float, rates: str) -> str:
    return f"histogram_quantile({share}, {rates})"


def _mean(metric: str, *by: str, labels: str = "") -> str:
    return (
        f"{_rate(f'{metric}_sum', *by, labels=labels)}"
        f" / ({_rate(f'{metric}_count', *by, labels=labels)} > 0)"
    )


_MODEL = 'model=~"$model"'
_MODELS = {"model": "label_values(wherry_model_ready, model)"}

#: How long a job took, as its client sees it.
_JOBS_TOOK = Panel(
    "From submit to end",
    {
        "p50": _quantile(
            0.5, _fleet_rate("wherry_job_duration_seconds_bucket", "le", labels=_MODEL)
        ),
        "p95": _quantile(
            0.95, _fleet_rate("wherry_job_duration_seconds_bucket", "le", labels=_MODEL)
        ),
        "p99": _quantile(
            0.99, _fleet_rate("wherry_job_duration_seconds_bucket", "le", labels=_MODEL)
        ),
    },
    "s",
    "Of jobs that succeeded.",
)

FLEET = Dashboard(
    "fleet",
    "fleet",
    "Is the fleet well, what waits, and what computes.",
    {
        "Now": [
            Panel("Jobs waiting", {"jobs": "sum(wherry:jobs_waiting:max)"}, kind="stat"),
            Panel(
                "Oldest interactive job",
                {"age": 'max(wherry:oldest_waiting_seconds:max{lane="interactive"})'},
                "s",
                "See the alert WherryJobsWaitLong.",
                "stat",
            ),
            Panel(
                "Workers",
                {"{{family}} {{state}}": "max by (family, state) (wherry_workers)"},
                kind="stat",
            ),
            Panel("Dead letters", {"letters": "max(wherry_dead_letters)"}, kind="stat"),
        ],
        "Jobs": [
            Panel(
                "Jobs that end, a second",
                {
                    "{{state}} {{error_type}}": "sum by (state, error_type)"
                    " (wherry:jobs_ended:rate5m)"
                },
                "ops",
                stacked=True,
            ),
            Panel(
                "Rows a second",
                {"{{model}}": "sum by (model) (wherry:rows:rate5m)"},
                "ops",
                stacked=True,
            ),
            Panel(
                "Jobs waiting",
                {"{{model}} {{lane}}": "wherry:jobs_waiting:max"},
                stacked=True,
            ),
            Panel(
                "Oldest job that waits",
                {"{{model}} {{lane}}": "wherry:oldest_waiting_seconds:max"},
                "s",
            ),
        ],
        "Devices": [
            Panel(
                "Devices busy",
                {"{{instance}} {{device}}": "wherry:device_busy:ratio5m"},
                "percentunit",
                "Idle while jobs wait: see the alert WherryDevicesIdle.",
            ),
            Panel(
                "Device seconds a second, by model",
                {"{{model}}": _fleet_rate("wherry_device_seconds_total", "model")},
                "short",
                stacked=True,
            ),
            Panel(
                "Batches, how full",
                {"{{model}}": "wherry:batch_fill:ratio5m"},
                "percentunit",
                "Rows of the forwards, over what they had room for.",
            ),
        ],
        "What goes wrong": [
            Panel(
                "Workers lost, answers late, jobs taken back",
                {
                    "workers lost": "max(increase(wherry_lease_losses_total[5m]))",
                    "answers late": "max(increase(wherry_late_answers_total[5m]))",
                    "jobs taken back": "max(increase(wherry_requeues_total[5m]))",
                    "dead letters": "max(increase(wherry_dead_letters_total[5m]))",
                },
                description="In five minutes.",
            ),
            Panel(
                "Failures that are the fleet's",
                {"{{model}}": "wherry:job_failures:ratio10m"},
                "percentunit",
                "Of all jobs that ended. See the alert WherryJobsFail.",
            ),
            Panel(
                "Consumers started again, memory that ran out, loads that failed",
                {
                    "consumers": "sum(increase(wherry_consumer_restarts_total[5m])) or vector(0)",
                    "out of memory": "sum(increase(wherry_out_of_memory_total[5m])) or vector(0)",
                    "loads": 'sum(increase(wherry_model_loads_total{outcome="failed"}[5m]))'
                    " or vector(0)",
                },
                description="In five minutes.",
            ),
        ],
        "Callers": [
            Panel(
                "Requests a second",
                {"{{status}}": _rate("wherry_http_requests_total", "status")},
                "ops",
                stacked=True,
            ),
            Panel(
                "Answered within (p95)",
                {
                    "{{route}}": _quantile(
                        0.95, _rate("wherry_http_request_duration_seconds_bucket", "route", "le")
                    )
                },
                "s",
            ),
            Panel(
                "Webhooks",
                {
                    "{{outcome}} a minute": "60 * "
                    + _fleet_rate("wherry_webhooks_settled_total", "outcome"),
                    "waiting": "max(wherry_webhooks_pending)",
                },
            ),
        ],
        "Redis and the store": [
            Panel(
                "Redis' memory",
                {"{{redis}} {{kind}}": "max by (redis, kind) (wherry_redis_memory_bytes)"},
                "bytes",
                "`max` is 0 where there is no limit.",
            ),
            Panel(
                "Redis' round trips (p95)",
                {
                    "{{instance}}": _quantile(
                        0.95, _rate("wherry_redis_call_duration_seconds_bucket", "instance", "le")
                    )
                },
                "s",
            ),
            Panel(
                "Calls of the store a second",
                {
                    "{{operation}} {{outcome}}": _rate(
                        "wherry_store_calls_total", "operation", "outcome"
                    )
                },
                "ops",
            ),
            Panel(
                "A call of the store (p95)",
                {
                    "{{operation}}": _quantile(
                        0.95, _rate("wherry_store_call_duration_seconds_bucket", "operation", "le")
                    )
                },
                "s",
            ),
        ],
    },
)

MODEL = Dashboard(
    "model",
    "model",
    "One model, or some: who waits for it, where a batch's time goes, what fails.",
    {
        "Jobs": [
            Panel(
                "Jobs that end, a second",
                {
                    "{{state}} {{error_type}}": "sum by (state, error_type)"
                    f" (wherry:jobs_ended:rate5m{{{_MODEL}}})"
                },
                "ops",
                stacked=True,
            ),
            _JOBS_TOOK,
            Panel(
                "In the queue (p95)",
                {
                    "{{model}} {{lane}}": _quantile(
                        0.95,
                        _rate(
                            "wherry_job_queue_duration_seconds_bucket",
                            "model",
                            "lane",
                            "le",
                            labels=_MODEL,
                        ),
                    )
                },
                "s",
            ),
            Panel(
                "Waiting and running",
                {
                    "{{model}} {{lane}} waiting": f"wherry:jobs_waiting:max{{{_MODEL}}}",
                    "{{model}} running": _fleet(f"wherry_jobs_running{{{_MODEL}}}", "model"),
                },
            ),
        ],
        "Where a batch's time goes": [
            Panel(
                "A batch, part by part",
                {
                    name: _mean(f"wherry_batch_{part}_duration_seconds", labels=_MODEL)
                    for name, part in (
                        ("decoding", "decode"),
                        ("waiting for the device", "device_wait"),
                        ("computing", "compute"),
                        ("storing", "store"),
                    )
                },
                "s",
                "Means. Waiting for the device while another batch computes is as it should be.",
                stacked=True,
            ),
            Panel(
                "Rows of a batch",
                {"{{model}}": _mean("wherry_batch_rows", "model", labels=_MODEL)},
                description="Means.",
            ),
            Panel(
                "Batches, how full",
                {"{{model}}": f"wherry:batch_fill:ratio5m{{{_MODEL}}}"},
                "percentunit",
            ),
            Panel(
                "Device seconds for a thousand rows",
                {
                    "{{model}}": "1000 * "
                    + _fleet_rate("wherry_device_seconds_total", "model", labels=_MODEL)
                    + f" / (sum by (model) (wherry:rows:rate5m{{{_MODEL}}}) > 0)"
                },
                "s",
            ),
        ],
        "Whether it is served": [
            Panel(
                "Ready",
                {
                    "{{model}} {{version}}": "max by (model, version)"
                    f" (wherry_model_ready{{{_MODEL}}})"
                },
            ),
            Panel(
                "Loads",
                {
                    "{{model}} {{outcome}}": "sum by (model, outcome)"
                    f" (wherry_model_loads_total{{{_MODEL}}})"
                },
            ),
            Panel(
                "Loading and warming",
                {
                    "{{model}}": "sum by (model)"
                    f" (wherry_model_load_duration_seconds_sum{{{_MODEL}}})"
                    f" / sum by (model) (wherry_model_load_duration_seconds_count{{{_MODEL}}})"
                },
                "s",
                "Mean of all loads.",
            ),
        ],
    },
    _MODELS,
)

_TENANT = 'tenant=~"$tenant"'

TENANT = Dashboard(
    "tenant",
    "tenant",
    "Whose device time it is.",
    {
        "Device time": [
            Panel(
                "Device seconds a second",
                {
                    "{{tenant}}": _fleet_rate(
                        "wherry_tenant_device_seconds_total", "tenant", labels=_TENANT
                    )
                },
                stacked=True,
            ),
            Panel(
                "Share of all device time",
                {
                    "{{tenant}}": _fleet_rate(
                        "wherry_tenant_device_seconds_total", "tenant", labels=_TENANT
                    )
                    + " / scalar(sum("
                    + _fleet_rate("wherry_device_seconds_total", "model")
                    + ") > 0)"
                },
                "percentunit",
            ),
            Panel(
                "Device seconds of the last day",
                {
                    "{{tenant}}": "max by (tenant) (increase("
                    f"wherry_tenant_device_seconds_total{{{_TENANT}}}[1d]))"
                },
                "s",
                "For bills: counted by Redis, whichever API or worker ended meanwhile.",
                "stat",
            ),
        ],
    },
    {"tenant": "label_values(wherry_tenant_device_seconds_total, tenant)"},
)

BULK_RUN = Dashboard(
    "bulk-run",
    "bulk runs",
    "Runs over data sets, and what the bulk lane leaves to others.",
    {
        "Runs": [
            Panel("Runs that go on", {"{{state}}": "max by (state) (wherry_runs)"}, kind="stat"),
            Panel(
                "Progress",
                {"{{run}}": 'max by (run) (wherry_run_progress_ratio{run=~"$run"})'},
                "percentunit",
            ),
            Panel(
                "Rows a second",
                {"{{state}}": _fleet_rate("wherry_run_rows_total", "state")},
                "ops",
                stacked=True,
            ),
            Panel(
                "Runs that ended",
                {"{{state}}": "max by (state) (wherry_runs_ended_total)"},
                kind="stat",
            ),
        ],
        "The bulk lane": [
            Panel(
                "Bulk jobs waiting",
                {"{{model}}": 'sum by (model) (wherry:jobs_waiting:max{lane="bulk"})'},
                stacked=True,
                description="A run keeps as many in the queue as the device needs, not more.",
            ),
            Panel(
                "In the queue, by lane (p95)",
                {
                    "{{lane}}": _quantile(
                        0.95, _rate("wherry_job_queue_duration_seconds_bucket", "lane", "le")
                    )
                },
                "s",
                "Bulk jobs wait so that others need not.",
            ),
            Panel(
                "Devices busy",
                {"{{instance}} {{device}}": "wherry:device_busy:ratio5m"},
                "percentunit",
            ),
        ],
    },
    {"run": "label_values(wherry_run_progress_ratio, run)"},
)

GPU = Dashboard(
    "gpu",
    "GPUs",
    "What NVIDIA's driver tells of each GPU: empty on machines without one.",
    {
        "GPUs": [
            Panel(
                "Computing",
                {"{{gpu_uuid}}": "max by (gpu_uuid) (nv_gpu_utilization)"},
                "percentunit",
            ),
            Panel(
                "Memory taken",
                {
                    "{{gpu_uuid}}": "max by (gpu_uuid) (nv_gpu_memory_used_bytes)"
                    " / max by (gpu_uuid) (nv_gpu_memory_total_bytes)"
                },
                "percentunit",
            ),
            Panel(
                "Busy with our models",
                {"{{instance}} {{device}}": 'wherry:device_busy:ratio5m{device=~"cuda.*"}'},
                "percentunit",
                "Below what the driver tells: somebody else computes there, too.",
            ),
        ],
    },
)
