"""The folder in which a local stack keeps its queue and blobs, for one stack at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO


class FolderInUseError(RuntimeError):
    """Another stack uses the folder: two servers would ruin one append-only file."""


class DataFolder:
    """A folder, made when needed and locked while in use. The lock ends with the process."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: IO[str] | None = None

    @property
    def redis(self) -> Path:
        """The queue's append-only file lives here."""
        return self.path / "redis"

    @property
    def blobs(self) -> Path:
        """Payloads and results that are too large for Redis."""
        return self.path / "blobs"

    def acquire(self) -> None:
        """Take the folder. Raises FolderInUseError that names the holder's process."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise FolderInUseError(
                f"{self.path} is used by another stack (process {holder}): "
                "stop it, or give this one its own --data-dir"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def release(self) -> None:
        """Let others use the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
