"""What fails again and again is told once, however long it lasts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..protocol.errors import WherryError


class Outage:
    """Work that is tried over and over: the log hears of the first failure after a success."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log, self._what, self._lasts = log, what, False

    @property
    def lasts(self) -> bool:
        """Whether the last try failed."""
        return self._lasts

    def failed(self, why: object) -> None:
        """Note a failure."""
        if not self._lasts:
            self._log.warning("%s: %s", self._what, why)
        self._lasts = True

    def worked(self) -> None:
        """Note that it works: the next failure is news."""
        self._lasts = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note how the work within goes; one of our errors ends there."""
        try:
            yield
        except WherryError as error:
            self.failed(error.message)
        else:
            self.worked()

    @contextmanager
    def survived(self) -> Iterator[None]:
        """As `noted`, for a loop that nobody would miss: a fault of ours ends there, told whole."""
        try:
            with self.noted():
                yield
        except Exception:
            if not self._lasts:
                self._log.exception("%s", self._what)
            self._lasts = True
