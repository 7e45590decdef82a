"""The dashboard of the whole fleet."""

from __future__ import annotations

from .panels import Dashboard, Panel, fleet_rate, quantile, rate

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
                {"{{model}}": fleet_rate("wherry_device_seconds_total", "model")},
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
                    "dead letters": "max(increase(wherry_jobs_dead_lettered_total[5m]))",
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
                {"{{status}}": rate("wherry_http_requests_total", "status")},
                "ops",
                stacked=True,
            ),
            Panel(
                "Answered within (p95)",
                {
                    "{{route}}": quantile(
                        0.95, rate("wherry_http_request_duration_seconds_bucket", "route", "le")
                    )
                },
                "s",
            ),
            Panel(
                "Webhooks",
                {
                    "{{outcome}} a minute": "60 * "
                    + fleet_rate("wherry_webhooks_settled_total", "outcome"),
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
                    "{{instance}}": quantile(
                        0.95, rate("wherry_redis_call_duration_seconds_bucket", "instance", "le")
                    )
                },
                "s",
            ),
            Panel(
                "Calls of the store a second",
                {
                    "{{operation}} {{outcome}}": rate(
                        "wherry_store_calls_total", "operation", "outcome"
                    )
                },
                "ops",
            ),
            Panel(
                "A call of the store (p95)",
                {
                    "{{operation}}": quantile(
                        0.95, rate("wherry_store_call_duration_seconds_bucket", "operation", "le")
                    )
                },
                "s",
            ),
        ],
    },
)
