"""The folder of verdicts and exports: read and written whole, tidied, one that tunes at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .identity import digest
from .verdict import Verdict

#: Seconds between two looks whether another still tunes.
_LOOK_AGAIN_S = 0.2

#: Seconds after which a verdict that nobody has read is removed, with its export; and one of other
#: versions of what computes: workers of two images may share the folder, or be upgraded in turn.
_UNUSED_S, _OTHERS_UNUSED_S = 90 * 86_400, 86_400

#: Folders in it; a file of the last is locked by who serves a model by the verdict of its name.
_VERDICTS, _EXPORTS, _HELD = "verdicts", "exports", "held"


class BusyError(Exception):
    """Another process has tuned in the folder for longer than was waited."""


class InUse:
    """A lock on a verdict, until it is released, or nothing refers to it, or the process ends."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.release = weakref.finalize(self, os.close, file)


class Shelf:
    """A folder of verdicts, by what they hold for. Several workers share one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def read(self, name: str) -> Verdict | None:
        """A verdict; None where there is none, where it is broken, or where its export is gone."""
        path = self._verdict(name)
        try:
            verdict = Verdict.read(path.read_text())
        except (OSError, ValueError):
            return None
        if verdict.export and not self.export(verdict.export).is_dir():
            return None
        with contextlib.suppress(OSError):  # of another user, or on a disk that is read-only
            os.utime(path)
        return verdict

    def hold(self, name: str) -> InUse | None:
        """Keep a verdict and its export from being removed, though nobody read them for long: a
        model that is put away is opened again. None where the folder, or its disk, has no locks.
        """
        path = self._held(name)
        while True:
            try:
                path.parent.mkdir(exist_ok=True)
                hold = InUse(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
                fcntl.flock(hold.file, fcntl.LOCK_SH)
            except OSError:
                return None
            with contextlib.suppress(FileNotFoundError):  # removed before it was locked
                if os.path.samestat(os.fstat(hold.file), path.stat()):
                    return hold
            hold.release()

    def write(self, name: str, verdict: Verdict) -> None:
        """Keep a verdict. Raises OSError where the disk does not take it."""
        path = self._verdict(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".part-{os.getpid()}")
        try:
            with part.open("w") as file:
                file.write(verdict.written())
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def export(self, name: str) -> Path:
        """Where an export is, or is to be."""
        return self.folder / _EXPORTS / name

    def open(self) -> None:
        """Make the folder. Raises OSError where nothing can be written there."""
        for name in (_VERDICTS, _EXPORTS, _HELD):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        probe = self.folder / f".probe-{os.getpid()}"
        try:
            probe.write_bytes(bytes(4096))
        finally:
            probe.unlink(missing_ok=True)

    @property
    def free_bytes(self) -> int:
        """What the disk has left."""
        return shutil.disk_usage(self.folder).free

    @contextmanager
    def alone(self, wait_s: float) -> Iterator[None]:
        """Be the only one that tunes here: two at once would time each other. Raises BusyError."""
        ends = time.monotonic() + wait_s
        with (self.folder / "lock").open("a") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > ends:
                        raise BusyError from None
                    time.sleep(_LOOK_AGAIN_S)
            yield

    def trying(self, name: str) -> list[str]:
        """What was being tried for a verdict by processes that ended amid it."""
        try:
            told = json.loads(self._trying(name).read_text())
        except (OSError, ValueError):
            return []
        return [str(each) for each in told] if isinstance(told, list) else []

    def note(self, name: str, trying: list[str]) -> None:
        """Write down what is tried, before it is."""
        path = self._trying(name)
        part = path.with_name(f"{path.name}.part-{os.getpid()}")
        part.write_text(json.dumps(trying))
        part.replace(path)

    def tidy(self, keep: str, verdict: Verdict) -> None:
        """Remove what the kept verdict supersedes, verdicts that nobody reads any more, and exports
        that none needs. Only who is `alone` may.
        """
        self._trying(keep).unlink(missing_ok=True)
        needed = {verdict.export}
        for path in (self.folder / _VERDICTS).iterdir():
            if path == self._verdict(keep):
                continue
            other = _read(path)
            unread_s = time.time() - path.stat().st_mtime
            if _is_over(other, verdict, unread_s) and self._removed(path):
                continue
            needed.add(other.export if isinstance(other, Verdict) else other)
        for folder in (self.folder / _EXPORTS).iterdir():
            if folder.name not in needed:
                gone = folder.with_name(f"{folder.name}.gone")  # whole, or not there
                with contextlib.suppress(OSError):
                    folder.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)

    def _removed(self, path: Path) -> bool:
        """Whether a file is gone now: a verdict is not that another process holds."""
        held = self._held(path.stem)
        with contextlib.suppress(OSError), held.open("a") as mine:
            try:
                fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            held.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return True

    def _held(self, name: str) -> Path:
        return self.folder / _HELD / name

    def _verdict(self, name: str) -> Path:
        return self.folder / _VERDICTS / f"{name}.json"

    def _trying(self, name: str) -> Path:
        return self.folder / _VERDICTS / f"{name}.trying"


def _read(path: Path) -> Verdict | str:
    """What a file says; of what is no verdict of this version, the export that it names, or ""."""
    try:
        text = path.read_text()
        with contextlib.suppress(ValueError):
            return Verdict.read(text)
        told = json.loads(text)
    except (OSError, ValueError):
        return ""
    return str(told.get("export", "")) if isinstance(told, dict) else ""


def _is_over(other: Verdict | str, new: Verdict, unread_s: float) -> bool:
    """Whether nobody needs what a file says any more."""
    if not isinstance(other, Verdict):  # another version's, a note, or broken
        return unread_s > _OTHERS_UNUSED_S
    return unread_s > _UNUSED_S or _is_superseded(other, new, unread_s)


def _is_superseded(old: Verdict, new: Verdict, unread_s: float) -> bool:
    """Whether it was of the same model as declared, with other files, or of versions that nobody
    has any more.
    """
    if old.identity.get("versions") != new.identity.get("versions") and unread_s < _OTHERS_UNUSED_S:
        return False
    left, right = (
        {k: v for k, v in each.identity.items() if k not in ("files", "versions")}
        for each in (old, new)
    )
    return left == right and digest(dict(old.identity)) != digest(dict(new.identity))
