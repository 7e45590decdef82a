"""Telemetry: what every process tells of itself: metrics, traces, logs.

May import its packages (prometheus-client, OpenTelemetry, where they are installed) and the
standard library. Knows no job, no task, no server: whoever has something to tell calls it.
"""
