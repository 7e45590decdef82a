"""Samples: small models for `--sample-models`, the demo and the tests, and where each comes from.

May import tasks, torch and transformers. Imported by ops, tests and bench alone: no fleet needs it.
"""
