"""The dashboard of one model, or some."""

from __future__ import annotations

from .panels import Dashboard, Panel, fleet_rate, mean, of_fleet, quantile, rate

_MODEL = 'model=~"$model"'
_MODELS = {"model": "label_values(wherry_model_ready, model)"}

#: How long a job took, as its client sees it.
_JOBS_TOOK = Panel(
    "From submit to end",
    {
        "p50": quantile(0.5, fleet_rate("wherry_job_duration_seconds_bucket", "le", labels=_MODEL)),
        "p95": quantile(
            0.95, fleet_rate("wherry_job_duration_seconds_bucket", "le", labels=_MODEL)
        ),
        "p99": quantile(
            0.99, fleet_rate("wherry_job_duration_seconds_bucket", "le", labels=_MODEL)
        ),
    },
    "s",
    "Of jobs that succeeded.",
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
                    "{{model}} {{lane}}": quantile(
                        0.95,
                        rate(
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
                    "{{model}} running": of_fleet(f"wherry_jobs_running{{{_MODEL}}}", "model"),
                },
            ),
        ],
        "Where a batch's time goes": [
            Panel(
                "A batch, part by part",
                {
                    name: mean(f"wherry_batch_{part}_duration_seconds", labels=_MODEL)
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
                {"{{model}}": mean("wherry_batch_rows", "model", labels=_MODEL)},
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
                    + fleet_rate("wherry_device_seconds_total", "model", labels=_MODEL)
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
