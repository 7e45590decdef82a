from __future__ import annotations

import os
from pathlib import Path

import pytest

from wherry.ops.data_folder import DataFolder, FolderInUseError


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
