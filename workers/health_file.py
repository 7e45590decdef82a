"""What a worker keeps in a file for whoever asks whether it is alive: `health.py`."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .deaf_consumer import Consuming
from .health import LOADING, STALE_S, read
from .threads import Every

log = logging.getLogger(__name__)

#: Seconds between two words.
_PERIOD_S = 2.0


class HealthFile:
    """Says every two seconds how the worker does, as long as its threads get to run.

    `info` is what its heartbeat says, `away` whether Redis did not answer the last look.
    """

    def __init__(
        self,
        path: str,
        *,
        lease_s: float,
        info: Callable[[], Mapping[str, object]],
        consuming: Consuming,
        away: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._lease_s, self._clock = path, lease_s, clock
        self._info, self._consuming, self._away = info, consuming, away
        self._looked_at_s = self._beat_at_s = clock()
        self._failed = False
        self._thread = Every("wherry-health", _PERIOD_S, self.write)

    def start(self) -> None:
        """Begin: before the models are loaded, which may take long."""
        if self._path:
            self._warn_of_another()
            self.write()
            self._thread.start()

    def stop(self) -> None:
        """Leave no file behind that speaks of a worker which is gone."""
        if self._path:
            self._thread.stop()
            Path(self._path).unlink(missing_ok=True)

    def looked(self, *, beats: bool) -> None:
        """Redis was asked about the fleet, and had this worker's heartbeat, or not."""
        self._looked_at_s = self._clock()
        if beats:
            self._beat_at_s = self._looked_at_s

    def write(self) -> None:
        """Say it now."""
        try:
            fresh = Path(f"{self._path}.new")
            fresh.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(self._said()), encoding="utf-8")
            fresh.replace(self._path)  # whole for whoever reads meanwhile
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("%s: %s: nobody can see that this worker lives", self._path, error)
            self._failed = True

    def _warn_of_another(self) -> None:
        try:
            said = read(self._path)
            other, silent_s = int(said["pid"]), self._clock() - float(said["at_s"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        if other != os.getpid() and 0 <= silent_s <= STALE_S and Path(f"/proc/{other}").exists():
            log.warning(
                "process %d says in %s how it does: give each worker a WHERRY_HEALTH_FILE of its"
                " own, or nobody knows whose word it is",
                other,
                self._path,
            )

    def _said(self) -> dict[str, object]:
        now_s, info, away = self._clock(), self._info(), self._away()
        if away or info["state"] == LOADING:
            self._looked_at_s = self._beat_at_s = now_s  # counted from when it can be known
        return {
            "pid": os.getpid(),
            "at_s": now_s,
            "looked_at_s": self._looked_at_s,
            "beat_at_s": self._beat_at_s,
            "lease_s": self._lease_s,
            "deaf_s": round(self._consuming.deaf_s, 1),
            "away": away,
            "state": info["state"],
            "reason": info.get("reason", ""),
            "serves": bool(info.get("served", True)),
        }
