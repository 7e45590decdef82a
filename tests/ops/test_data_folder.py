from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from wherry.ops.data_folder import DataFolder, DataFolderError, FolderInUseError


def test_a_folder_serves_one_stack_at_a_time(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path / "new"), DataFolder(tmp_path / "new")
    first.acquire()
    with pytest.raises(FolderInUseError, match=rf"process {os.getpid()}.*--data-dir"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_queue_and_blobs_have_folders_of_their_own(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert {folder.redis, folder.blobs} == {tmp_path / "redis", tmp_path / "blobs"}


def test_releasing_what_was_never_taken_is_fine(tmp_path: Path) -> None:
    DataFolder(tmp_path).release()


@pytest.mark.parametrize("path", ["/proc/x", "file", "file/below", "taken"])
def test_a_folder_that_cannot_be_is_a_line_with_the_remedy(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "redis").touch()
    with pytest.raises(DataFolderError) as refused:
        DataFolder(tmp_path / path).acquire()
    assert str(refused.value).startswith(f"{tmp_path / path} cannot hold the queue and blobs: ")
    assert str(refused.value).endswith("; name another by --data-dir")


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("wherry.ops.data_folder.TemporaryFile", full)
    with pytest.raises(DataFolderError, match="No space left on device; name another"):
        DataFolder(tmp_path).acquire()


def test_what_lies_in_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "probe").write_text("mine")
    folder = DataFolder(tmp_path)
    folder.acquire()
    folder.release()
    assert {path.name for path in tmp_path.iterdir()} == {"probe", "lock", "redis", "blobs"}
