"""Dashboards of tenants, of bulk runs, and of GPUs."""

from __future__ import annotations

from .panels import Dashboard, Panel, fleet_rate, quantile, rate

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
                    "{{tenant}}": fleet_rate(
                        "wherry_tenant_device_seconds_total", "tenant", labels=_TENANT
                    )
                },
                stacked=True,
            ),
            Panel(
                "Share of all device time",
                {
                    "{{tenant}}": fleet_rate(
                        "wherry_tenant_device_seconds_total", "tenant", labels=_TENANT
                    )
                    + " / scalar(sum("
                    + fleet_rate("wherry_device_seconds_total", "model")
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
                {"{{state}}": fleet_rate("wherry_run_rows_total", "state")},
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
                    "{{lane}}": quantile(
                        0.95, rate("wherry_job_queue_duration_seconds_bucket", "lane", "le")
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
