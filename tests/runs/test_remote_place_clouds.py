"""Outputs in gs:// and az://, by an emulator of each cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.protocol.errors import InvalidRequest, Unavailable
from wherry.runs.hold import StepPaused
from wherry.runs.remote_place import refuse_taken, try_place, upload

from ..support.clouds import Bucket, Cloud, bucket_of


@pytest.fixture(params=["gcs", "azure"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with bucket_of(request.getfixturevalue(request.param), monkeypatch) as bucket:
        yield bucket


def names(bucket: Bucket) -> list[str]:
    return sorted(name.partition("/")[2] for name in bucket.fs.find(bucket.name))


def nothing() -> None:
    """Nobody wants it to stop."""


def test_a_place_is_tried_and_left_as_it_was(bucket: Bucket) -> None:
    try_place(bucket.url("out/labels.jsonl"))
    refuse_taken(bucket.url("out/labels.jsonl"))
    assert names(bucket) == []


def test_a_bucket_that_is_not_there_is_told_at_once(bucket: Bucket) -> None:
    scheme = bucket.cloud.scheme
    with pytest.raises(InvalidRequest, match=f"{scheme}://nobodys/labels.jsonl: ") as told:
        try_place(f"{scheme}://nobodys/labels.jsonl")
    assert "\n" not in told.value.message


@pytest.mark.parametrize("ending", ["", ".errors.jsonl", ".report.json", ".report.html"])
def test_what_is_there_is_refused(bucket: Bucket, ending: str) -> None:
    bucket.put(**{f"out/labels{ending}": b"dear"})
    with pytest.raises(InvalidRequest, match="is there"):
        refuse_taken(bucket.url("out/labels"))


def test_a_folder_with_files_in_it_is_there_too(bucket: Bucket) -> None:
    bucket.put(**{"out/labels/train/a.txt": b"dear"})
    with pytest.raises(InvalidRequest, match="is there"):
        refuse_taken(bucket.url("out/labels/"))


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
def test_an_output_comes_whole_with_its_report_last(bucket: Bucket, tmp_path: Path) -> None:
    sizes = {"labels/1.txt": 0, "labels/é 2.txt": 70, "labels/big": 6_000_000}
    sizes |= {f"labels/n/{n}": n for n in range(20)}
    files = {}
    for number, (name, size) in enumerate([*sizes.items(), ("labels.report.json", 2)]):
        (tmp_path / str(number)).write_bytes(b"%d" % (number % 10) * size)
        files[name] = tmp_path / str(number)
    seen: list[list[str]] = []

    def check() -> None:
        seen.append(names(bucket))

    bucket.put(**{"out/labels/1.txt": b"of an earlier try"})
    upload(bucket.url("out/labels"), files, check)
    for name, path in files.items():
        assert bucket.fs.cat_file(f"{bucket.name}/out/{name}") == path.read_bytes()
    assert len(seen) == len(files)
    assert seen[-1] == sorted(f"out/{name}" for name in sizes), "all but the report"


def test_one_that_is_left_off_has_no_report(bucket: Bucket, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("x.report.json", "x")}
    for path in files.values():
        path.write_text("{}")
    calls = iter((False, True))

    def check() -> None:
        if next(calls):
            raise StepPaused

    with pytest.raises(StepPaused):
        upload(bucket.url("x"), files, check)
    assert names(bucket) == ["x"]


def test_credentials_that_are_none_are_no_refusal_of_the_place(
    azure: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may have expired, at the end of a long night: who puts them right loses nothing."""
    import adlfs

    with bucket_of(azure, monkeypatch) as bucket:
        told = azure.env["AZURE_STORAGE_CONNECTION_STRING"]
        key = told.partition("AccountKey=")[2].partition(";")[0]
        other = told.replace(key, "bm8ga2V5IGF0IGFsbA==")
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", other)
        adlfs.AzureBlobFileSystem.clear_instance_cache()
        with pytest.raises(Unavailable):
            try_place(bucket.url("labels.jsonl"))
