"""Parquet, Arrow, Feather and folders that `datasets` saved, each by its own writer."""

from __future__ import annotations

import json
import random
import sys
import tracemalloc

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from wherry.client.annotate import sources
from wherry.client.annotate.rows import SourceRow, UnreadableRow
from wherry.client.annotate.sources import Columns
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG, WAV

from .opened import open_source

IMAGES = get_task("image-classification")
TEXTS = get_task("text-classification")


def ipc(path, table, *, stream, rows=100):
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as file, new(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)


def write(path, table):
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=100)
    elif path.suffix == ".feather":
        pa.feather.write_feather(table, str(path))
    else:
        ipc(path, table, stream=path.suffix == ".arrow")
    return str(path)


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrow", "a.ipc"])
def test_rows_and_their_count(tmp_path, name):
    table = pa.table({"label": range(3000), "text": [f"text {n}" for n in range(3000)]})
    source = open_source(write(tmp_path / name, table), TEXTS)
    assert source.count() == 3000
    rows = list(source)
    assert len(rows) == 3000
    assert rows[2999] == SourceRow("2999", {"texts": "text 2999"})
    assert rows == list(source)


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrow"])
def test_kinds_of_cells(tmp_path, name):
    (tmp_path / "p.png").write_bytes(PNG)
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    images = [
        {"bytes": PNG, "path": "x/inner.png"},
        {"bytes": None, "path": "p.png"},
        {"bytes": b"", "path": None},
        None,
    ]
    table = pa.table({"image": pa.array(images, struct), "id": ["a", "b", "c", "d"]})
    assert list(open_source(write(tmp_path / name, table), IMAGES)) == [
        SourceRow("a", {"images": PNG}, "x/inner.png"),
        SourceRow("b", {"images": PNG}, str(tmp_path / "p.png")),
        UnreadableRow("c", "column 'image': the file is empty"),
        UnreadableRow("d", "column 'image': it is empty"),
    ]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(len(PNG))])
def test_plain_bytes(tmp_path, kind):
    path = write(tmp_path / "a.parquet", pa.table({"img": pa.array([PNG], kind)}))
    assert list(open_source(path, IMAGES)) == [SourceRow("0", {"images": PNG})]


def test_structs_leave_out_what_is_null(tmp_path):
    said = [{"role": "user", "content": "hi", "name": None}]
    path = write(tmp_path / "a.parquet", pa.table({"messages": [said]}))
    (row,) = open_source(path, get_task("chat"))
    assert row.values == {"messages": [{"role": "user", "content": "hi"}]}
    get_task("chat").input.validated({"messages": [row.values["messages"]]})


def test_dictionaries_strings_of_all_kinds_and_numbers(tmp_path):
    for text in (
        pa.array(["a"]).dictionary_encode(),
        pa.array(["a"], pa.large_string()),
        pa.array(["a"], pa.string_view()),
        pa.array([b"a"]),
    ):
        path = write(tmp_path / "a.parquet", pa.table({"text": text}))
        assert [row.values for row in open_source(path, TEXTS)] == [{"texts": "a"}]
    path = write(tmp_path / "a.parquet", pa.table({"text": [1.5]}))
    (row,) = open_source(path, TEXTS)
    assert row == UnreadableRow("0", "column 'text': expected text, found a number")


def test_only_needed_columns_are_read(tmp_path, monkeypatch):
    table = pa.table({"uuid": ["u"], "text": ["t"], "vector": [[1.0] * 10]})
    path = write(tmp_path / "a.parquet", table)
    asked = []
    batches = pq.ParquetFile.iter_batches

    def note(table, **how):
        asked.append(how["columns"])
        return batches(table, **how)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", note)
    assert list(open_source(path, TEXTS)) == [SourceRow("u", {"texts": "t"})]
    assert asked == [["uuid", "text"]]


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrow"])
def test_broken_first_table_is_told_at_once(tmp_path, name):
    (tmp_path / name).write_bytes(b"nonsense, and more of it")
    with pytest.raises(InvalidRequest, match=f"{tmp_path}/{name}: "):
        open_source(str(tmp_path / name), TEXTS)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InvalidRequest, match=f"{tmp_path}/{name}: "):
        open_source(str(tmp_path / name), TEXTS)


def test_broken_later_table_is_one_row_and_the_next_follows(tmp_path):
    for name in "ac":
        write(tmp_path / f"{name}.parquet", pa.table({"text": [name]}))
    (tmp_path / "b.parquet").write_bytes(b"nonsense")
    write(tmp_path / "d.parquet", pa.table({"other": ["d"]}))
    source = open_source(f"{tmp_path}/*.parquet", TEXTS)
    a, b, c, d = source
    assert (a.id, c.id) == ("0", "1")
    for broken, name in ((b, "b"), (d, "d")):
        assert isinstance(broken, UnreadableRow)
        assert broken.path == f"{tmp_path}/{name}.parquet"
        assert broken.reason.startswith("the rest of this file cannot be read: ")
    assert source.count() is None


def test_stream_that_breaks_off(tmp_path):
    table = pa.table({"text": [str(n) for n in range(1000)]})
    ipc(tmp_path / "a.arrow", table, stream=True)
    whole = (tmp_path / "a.arrow").read_bytes()
    (tmp_path / "a.arrow").write_bytes(whole[: len(whole) // 2])
    *rows, last = open_source(str(tmp_path / "a.arrow"), TEXTS)
    assert 0 < len(rows) < 1000
    assert isinstance(last, UnreadableRow)
    assert "the rest of this file cannot be read" in last.reason
    (tmp_path / "a.arrow").write_bytes(whole[:-8])  # every row, and no word that there are no more
    *rows, last = open_source(str(tmp_path / "a.arrow"), TEXTS)
    assert len(rows) == 1000
    assert isinstance(last, UnreadableRow)
    assert last.reason.endswith("it has no end mark: it may be cut short")


def test_large_row_group_is_not_held(tmp_path):
    table = pa.table({"image": [b"%d" % n + random.randbytes(100_000) for n in range(400)]})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, use_dictionary=False, write_batch_size=10)
    del table
    before, peak = pa.total_allocated_bytes(), 0
    tracemalloc.start()
    try:
        for row in open_source(str(path), IMAGES):
            assert isinstance(row, SourceRow)
            peak = max(peak, pa.total_allocated_bytes() - before)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000  # of 40 MB
    assert held < 10_000_000


# --- datasets ---


@pytest.fixture(scope="module")
def datasets():
    return pytest.importorskip("datasets", reason="in the test group")


def test_saved_folder_of_images(tmp_path, datasets):
    (tmp_path / "p.png").write_bytes(PNG)
    data = datasets.Dataset.from_dict(
        {"scan": [str(tmp_path / "p.png"), {"bytes": PNG, "path": None}, None], "label": [0, 1, 0]},
        features=datasets.Features(
            {"label": datasets.ClassLabel(names=["a", "b"]), "scan": datasets.Image()}
        ),
    )
    data.save_to_disk(str(tmp_path / "set"))
    source = open_source(str(tmp_path / "set"), IMAGES)  # the feature says that it is an image
    assert source.count() == 3
    rows = list(source)
    assert [row.values["images"] for row in rows[:2]] == [PNG, PNG]
    assert [row.id for row in rows] == ["0", "1", "2"]
    assert rows[2] == UnreadableRow("2", "column 'scan': it is empty")


def test_saved_folder_in_many_files(tmp_path, datasets):
    data = datasets.Dataset.from_dict({"text": [str(n) for n in range(2500)]})
    data.shuffle(seed=1).save_to_disk(str(tmp_path / "set"), num_shards=3)
    rows = list(open_source(f"{tmp_path}/set/", TEXTS))
    assert [row.values["texts"] for row in rows] == [
        row["text"] for row in datasets.load_from_disk(str(tmp_path / "set"))
    ]
    assert [row.id for row in rows] == [str(n) for n in range(2500)]


def test_saved_splits(tmp_path, datasets):
    sounds = {}
    for name in ("train", "test"):
        (tmp_path / f"{name}.wav").write_bytes(WAV)
        noise = datasets.Dataset.from_dict({"noise": [str(tmp_path / f"{name}.wav")]})
        sounds[name] = noise.cast_column("noise", datasets.Audio())
    datasets.DatasetDict(sounds).save_to_disk(str(tmp_path / "set"))
    task = get_task("audio-classification")
    for spec in ("set#train", "set/#train", "set/train"):
        assert list(open_source(f"{tmp_path}/{spec}", task)) == [
            SourceRow("0", {"audio": WAV}, "train.wav")
        ]
    with pytest.raises(InvalidRequest, match=f"has splits, name one of them: {tmp_path}/set#train"):
        open_source(f"{tmp_path}/set", task)
    with pytest.raises(InvalidRequest, match="has splits"):
        open_source(f"{tmp_path}/set#dev", task)
    with pytest.raises(InvalidRequest, match="has no splits"):
        open_source(f"{tmp_path}/set/train#train", task)


def test_parquet_of_datasets_says_what_its_columns_hold(tmp_path, datasets):
    data = datasets.Dataset.from_dict(
        {"scan": [{"bytes": PNG, "path": "x.png"}]},
        features=datasets.Features({"scan": datasets.Image()}),
    )
    data.to_parquet(str(tmp_path / "a.parquet"))
    assert list(open_source(str(tmp_path / "a.parquet"), IMAGES)) == [
        SourceRow("0", {"images": PNG}, "x.png")
    ]


def test_saved_folder_by_an_index_is_refused_with_the_remedy(tmp_path):
    # As versions before 2.15 wrote a data set of chosen rows.
    (tmp_path / "state.json").write_text(
        json.dumps({"_data_files": [], "_indices_data_files": [{"filename": "indices.arrow"}]})
    )
    with pytest.raises(InvalidRequest, match="flatten_indices"):
        open_source(str(tmp_path), TEXTS)
    (tmp_path / "state.json").write_text("nonsense")
    with pytest.raises(InvalidRequest, match="state.json"):
        open_source(str(tmp_path), TEXTS)


def test_named_column(tmp_path):
    path = write(tmp_path / "a.parquet", pa.table({"a": ["x"], "b": ["y"], "text": ["z"]}))
    columns = Columns(id="b", fields={"texts": "a"})
    assert list(open_source(path, TEXTS, columns)) == [SourceRow("y", {"texts": "x"})]


def test_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    path = write(tmp_path / "a.parquet", pa.table({"text": ["a"]}))
    monkeypatch.delitem(sys.modules, "wherry.client.annotate.sources.arrow", raising=False)
    monkeypatch.delattr(sources, "arrow", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidRequest, match=r"pyarrow is not installed: pip install 'wherry\[ann"):
        open_source(path, TEXTS)
