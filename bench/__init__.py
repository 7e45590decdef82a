"""Benchmarks: what the fleet reaches, as ratios to what the machine allows."""
