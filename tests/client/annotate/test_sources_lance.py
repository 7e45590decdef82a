"""Lance's tables, written by its own library, on this machine and in a bucket."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from wherry.client.annotate.rows import SourceRow
from wherry.client.annotate.sources import Columns, open_source
from wherry.client.annotate.sources.confined import place_among
from wherry.client.annotate.sources.parts import Part
from wherry.client.annotate.sources.sampling import USUAL, Sampling
from wherry.client.errors import UsageError
from wherry.jobs.settings import JobsSettings
from wherry.protocol.errors import InvalidRequest
from wherry.protocol.places import AllowedPlaces
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

EMBEDDING, PICTURES = get_task("embedding"), get_task("image-classification")


def table(first: int, end: int) -> pa.Table:
    numbers = range(first, end)
    return pa.table({"id": [f"r{n}" for n in numbers], "text": [f"text {n}" for n in numbers]})


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A table of several files, one of whose rows is deleted."""
    path = str(tmp_path / "reviews.lance")
    lance.write_dataset(table(0, 500), path, max_rows_per_file=90)
    lance.dataset(path).delete("id = 'r5'")
    return path


def ids(spec: str) -> list[str]:
    return [row.id for row in open_source(spec, EMBEDDING)]


LIVE = [f"r{n}" for n in range(500) if n != 5]


def test_rows_come_in_the_tables_order(path: str) -> None:
    source = open_source(path, EMBEDDING)
    rows = list(source)
    assert [row.id for row in rows] == LIVE
    assert isinstance(rows[5], SourceRow)
    assert rows[5].values == {"texts": "text 6"}
    assert source.count() == 499


@pytest.mark.parametrize("first", [0, 3])
def test_parts_one_after_another_are_the_whole(path: str, first: int) -> None:
    source = open_source(path, EMBEDDING)
    parts = [Part.of(json.loads(json.dumps(part.as_json()))) for part in source.parts(70, first)]
    assert [part.rows for part in parts][: 2 if first else 1] == ([3, 70] if first else [70])
    found = [row.id for part in parts for row in open_source(source.pinned, EMBEDDING).part(part)]
    assert found == LIVE


def test_a_source_stays_at_the_version_that_it_was_opened_at(path: str) -> None:
    source = open_source(path, EMBEDDING)
    lance.write_dataset(table(500, 510), path, mode="append")
    assert [row.id for row in source] == ids(source.pinned) == LIVE
    assert source.pinned == f"{path}@2"
    assert len(ids(path)) == 509
    assert len(ids(f"{path}@1")) == 500


def test_pictures_are_cells(tmp_path: Path) -> None:
    rows = pa.table({"image": pa.array([b"one", b"two"], pa.large_binary())})
    lance.write_dataset(rows, str(tmp_path / "photos.lance"))
    found = list(open_source(str(tmp_path / "photos.lance"), PICTURES))
    assert [row.values["images"] for row in found if isinstance(row, SourceRow)] == [b"one", b"two"]


def test_a_table_in_a_bucket_is_read(s3: JobsSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("AWS_ENDPOINT_URL", str(s3.s3_endpoint_url)),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ):
        monkeypatch.setenv(name, value)
    options = {"aws_endpoint": str(s3.s3_endpoint_url), "allow_http": "true"}
    lance.write_dataset(table(0, 40), "s3://wherry/in/reviews.lance", storage_options=options)
    source = open_source("s3://wherry/in/reviews.lance", EMBEDDING)
    assert [row.id for row in source] == [f"r{n}" for n in range(40)]
    assert ids(source.pinned) == [f"r{n}" for n in range(40)]


def test_what_cannot_be_read_is_told(path: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="was not found"):
        ids(f"{path}@99")
    with pytest.raises(InvalidRequest, match="embedding needs 'text'"):
        open_source(path, EMBEDDING, Columns(fields={"texts": ""}, id=""))
    with pytest.raises(InvalidRequest, match="no column 'body'"):
        open_source(path, EMBEDDING, Columns(fields={"texts": "body"}))
    with pytest.raises(UsageError, match="every, frames"):
        open_source(path, EMBEDDING, sampling=Sampling(every_s=1.0))
    (tmp_path / "empty.lance").mkdir()
    with pytest.raises(InvalidRequest, match="was not found"):
        ids(str(tmp_path / "empty.lance"))


def test_places_hold_for_the_files_of_a_table(path: str, tmp_path: Path) -> None:
    place = place_among(AllowedPlaces.of(f"{tmp_path}/in/"))

    def read(name: str) -> list[Any]:
        return list(open_source(f"{tmp_path}/in/{name}", EMBEDDING, Columns(), USUAL, place))

    lance.write_dataset(table(0, 9), str(tmp_path / "in" / "fine.lance"))
    assert len(read("fine.lance")) == len(read("fine.lance@1")) == 9
    with pytest.raises(InvalidRequest, match="in no place that runs may read"):
        open_source(path, EMBEDDING, Columns(), USUAL, place)
    lance.dataset(path).shallow_clone(str(tmp_path / "in" / "clone.lance"), 2)
    assert len(ids(str(tmp_path / "in" / "clone.lance"))) == 499, "where nothing is closed"
    with pytest.raises(InvalidRequest, match="its files lie in"):
        read("clone.lance")
    lance.write_dataset(table(0, 9), str(tmp_path / "in" / "linked.lance"))
    (file,) = (tmp_path / "in" / "linked.lance" / "data").iterdir()
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read("linked.lance")


def test_the_extra_is_named_where_the_library_is_missing(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "wherry.client.annotate.sources.lance_table", raising=False)
    monkeypatch.delattr("wherry.client.annotate.sources.lance_table", raising=False)
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'wherry\[lance\]'"):
        ids(path)
    photos = tmp_path / "free.lancers" / "of.lance"
    photos.mkdir(parents=True)
    (photos / "a.png").write_bytes(PNG)
    for spec in (photos.parent, photos / "*.png", photos / "a.png"):
        assert len(list(open_source(str(spec), PICTURES))) == 1, "which is no table"
