"""`open_source` for tests, which know which kind of row they expect."""

from __future__ import annotations

from wherry.client.annotate import sources

_USUAL = sources.Columns()


def open_source(spec, task, columns=_USUAL):
    """The source, its rows of no declared type."""
    return sources.open_source(spec, task, columns)
