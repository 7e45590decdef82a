"""`Client.workers`: the fleet's processes, for its operator. See docs/operations.md."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..protocol.errors import DeadlineExceeded, NotFound

if TYPE_CHECKING:
    from .client import Client

#: Seconds between two looks at a worker that drains.
_LOOK_S = 0.5


class Workers:
    """The workers of a fleet, each by its id or Celery node name. They need an admin's key."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> list[dict[str, Any]]:
        """All workers, those that do runs among them."""
        return list(self._client.get("/v2/workers")["workers"])

    def get(self, worker: str) -> dict[str, Any]:
        """A worker as it stands. Raises NotFound."""
        return self._client.get(_path(worker))

    def drain(self, worker: str, *, end: bool = False) -> dict[str, Any]:
        """Have a worker finish what runs and claim no more; with `end` it ends then.

        Raises NotFound, Conflict for a worker of an earlier version.
        """
        return self._client.post(f"{_path(worker)}/drain", {"end": end})

    def undrain(self, worker: str) -> dict[str, Any]:
        """Let a drained worker claim again. Raises NotFound."""
        return self._client.post(f"{_path(worker)}/undrain", {})

    def wait_drained(self, worker: str, timeout_s: float | None = None) -> None:
        """Wait until nothing runs on a worker that was drained, or it is gone.

        Raises DeadlineExceeded; it goes on draining.
        """
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            try:
                seen = self.get(worker)
            except NotFound:
                return
            if not seen["alive"] or (seen["state"] == "draining" and not seen["running"]):
                return
            if time.monotonic() >= deadline:
                raise DeadlineExceeded(f"worker {worker} still runs {seen['running']} jobs")
            time.sleep(_LOOK_S)


def _path(worker: str) -> str:
    return f"/v2/workers/{quote(worker, safe='')}"
