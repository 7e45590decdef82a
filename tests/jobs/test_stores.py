"""Blob stores: the folder, and S3 through a real server of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from wherry.jobs.settings import JobsSettings
from wherry.jobs.stores import FolderStore, S3Store, Store, open_store
from wherry.ops.redis_server import free_port
from wherry.protocol import errors

NAMES = ["payload/a", "result/../../etc/passwd", "ümlaut / slash", "..", "x" * 120]


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "blobs")
        return
    opened = open_store(request.getfixturevalue("s3"))
    assert isinstance(opened, S3Store)
    yield opened
    opened.client.close()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_put_can_be_read_and_deleted(store: Store, name: str) -> None:
    data = bytes(range(256)) * 2000
    ref = store.put(name, data)
    assert store.get(ref) == data
    store.delete(ref)
    store.delete(ref)
    with pytest.raises(errors.NotFound):
        store.get(ref)


def test_a_stretch_is_read_alone(store: Store) -> None:
    ref = store.put("sheet/1", bytes(range(100)))
    assert store.get_range(ref, 10, 5) == bytes(range(10, 15))
    assert store.get_range(ref, 95, 50) == bytes(range(95, 100))
    assert store.get_range(ref, 100, 5) == store.get_range(ref, 500, 5) == b""
    assert store.get_range(ref, 3, 0) == b""
    store.delete(ref)
    with pytest.raises(errors.NotFound):
        store.get_range(ref, 0, 5)


def test_names_stay_inside_the_folder(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path / "blobs")
    for name in NAMES:
        folder.put(name, b"x")
    inside = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    everything = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(inside) == len(everything) == len(NAMES)


def test_a_presigned_link_needs_no_credentials(s3: JobsSettings) -> None:
    store = open_store(s3)
    assert isinstance(store, S3Store)
    url = store.url(store.put("result/1", b"bytes"))
    assert url is not None
    with urlopen(url) as answer:
        assert answer.read() == b"bytes"
    store.client.close()


def test_a_store_that_is_away_says_so_and_may_be_retried() -> None:
    settings = JobsSettings(
        store_url="s3://wherry/x",
        s3_endpoint_url=f"http://127.0.0.1:{free_port()}",
        s3_region="us-east-1",
        s3_access_key_id="id",
        s3_secret_access_key="secret",
    )
    store = open_store(settings)
    assert isinstance(store, S3Store)
    with pytest.raises(errors.Unavailable):
        store.put("a", b"x")
    store.client.close()


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file in the way")
    with pytest.raises(errors.Unavailable):
        FolderStore(tmp_path / "blobs").put("a", b"x")


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="use s3://bucket/prefix or a folder"):
        open_store(JobsSettings(store_url="ftp://x/y"))


def test_secrets_do_not_print(s3: JobsSettings) -> None:
    assert "secret'" not in repr(s3)


def test_a_folder_that_cannot_be_listed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    store.put("payload/a", b"x")

    def stale(path: Path, **_: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "stat", stale)
    with pytest.raises(errors.StoreUnavailable, match="refused a listing: Stale file handle"):
        list(store.blobs())
