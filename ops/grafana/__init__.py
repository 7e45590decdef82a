"""Dashboards for Grafana, and what writes them."""
