"""What is said of a call that is wrong in itself: a command exits with status 2 for it."""

from __future__ import annotations

from ..protocol.errors import InvalidRequest


class UsageError(InvalidRequest):
    """The command was not understood."""
