"""Folders of run workers: what one that was killed left behind goes with the next one's start."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from pathlib import Path

_LOCK = "lock"


class WorkFolder:
    """A folder of this process's own, held by a lock that ends with the process."""

    def __init__(self, top: Path) -> None:
        top.mkdir(parents=True, exist_ok=True)
        self.path = top / f"worker-{uuid.uuid4().hex[:12]}"
        self.path.mkdir()
        self._lock = _locked(self.path)
        self._remove_others(top)

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)

    def _remove_others(self, top: Path) -> None:
        for other in top.glob("worker-*"):
            # One without a lock is just being made.
            if other != self.path and (other / _LOCK).exists():
                lock = _locked(other)
                if lock is not None:
                    shutil.rmtree(other, ignore_errors=True)
                    os.close(lock)


def _locked(folder: Path) -> int | None:
    """The lock of a folder, where nobody has it."""
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
