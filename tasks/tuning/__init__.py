"""Tuning: which runtime serves a model fastest on a device, found once by trying, and kept.

May import the backends' table, the checks and, in the process that tries, backends and the export.
Imports no model runtime itself, and knows no queue.
"""
