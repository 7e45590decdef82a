"""The folder in which a local stack keeps its queue and blobs, for one stack at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

#: Bytes that are written to see whether a disk has room: any small file takes a block.
_PROBE_BYTES = 4096


class DataFolderError(RuntimeError):
    """A stack cannot use the folder."""

    @classmethod
    def of(cls, path: Path, error: OSError) -> DataFolderError:
        """For what the system says of the folder, or of something in it."""
        what = f" ({error.filename})" if error.filename else ""
        why = f"{error.strerror}{what}"
        return cls(f"{path} cannot hold the queue and blobs: {why}; name another by --data-dir")


class FolderInUseError(DataFolderError):
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

    @property
    def tuned(self) -> Path:
        """Which backends serve models fastest here."""
        return self.path / "tuned"

    @property
    def runs(self) -> Path:
        """What run workers are at."""
        return self.path / "runs"

    @property
    def redis_password(self) -> Path:
        """The password of a Redis that other machines reach."""
        return self.path / "redis-password"

    @property
    def worker_password(self) -> Path:
        """The one that workers of other machines have for it."""
        return self.path / "redis-worker-password"

    @property
    def api_key(self) -> Path:
        """An admin's API key, where the first was made here."""
        return self.path / "api-key"

    @property
    def fleet_file(self) -> Path:
        """How this machine's commands reach the fleet."""
        return self.path / "fleet.env"

    def acquire(self) -> None:
        """Take the folder, and make those in it.

        Raises FolderInUseError that names the holder's process, DataFolderError where it cannot be.
        """
        try:
            for folder in (self.path, self.redis, self.blobs):
                folder.mkdir(parents=True, exist_ok=True)
                with TemporaryFile(dir=folder) as probe:  # it may be read-only, or its disk full
                    probe.write(bytes(_PROBE_BYTES))
            self._lock = self._locked()
        except OSError as error:
            raise DataFolderError.of(self.path, error) from None

    def _locked(self) -> IO[str]:
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
        return lock

    def is_in_use(self) -> bool:
        """Whether a stack of this machine runs there."""
        try:
            with (self.path / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def release(self) -> None:
        """Let others use the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
