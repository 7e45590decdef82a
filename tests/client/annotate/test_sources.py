"""Which source a spelling names, and files as rows."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from wherry.client.annotate.rows import SourceRow, UnreadableRow
from wherry.client.annotate.sources import Columns
from wherry.client.annotate.sources.local_files import LocalFiles
from wherry.client.annotate.sources.sorting import in_order
from wherry.client.annotate.sources.spelling import expanded
from wherry.client.annotate.sources.walking import Pattern, matching
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task

from .opened import open_source

IMAGES = get_task("image-classification")
TEXTS = get_task("text-classification")
EITHER = get_task("multimodal-embedding")


def fill(folder: Path, *names: str) -> Path:
    """Files that hold their own name."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return folder


def ids(spec: object, task=IMAGES) -> list[str]:
    return [row.id for row in open_source(str(spec), task)]


def test_folder_gives_the_fitting_files_by_path(tmp_path):
    fill(tmp_path, "b.JPG", "a/z.png", "a.webp", "a/b/c.jpeg", "notes.txt", "a/.hidden.jpg")
    fill(tmp_path, ".git/x.jpg")
    rows = list(open_source(str(tmp_path), IMAGES))
    # The order of whole paths: "." comes before "/".
    assert [row.id for row in rows] == ["a.webp", "a/b/c.jpeg", "a/z.png", "b.JPG"]
    assert rows[1] == SourceRow(
        "a/b/c.jpeg", {"images": b"a/b/c.jpeg"}, str(tmp_path / "a/b/c.jpeg")
    )


def test_folder_is_the_same_each_time_and_spelled_with_a_slash(tmp_path):
    fill(tmp_path, *(f"{n % 7}/{n}.jpg" for n in range(50)))
    source = open_source(f"{tmp_path}/", IMAGES)
    assert list(source) == list(source)
    assert [row.id for row in source] == sorted(f"{n % 7}/{n}.jpg" for n in range(50))
    assert source.count() == 50


def test_relative_folder_and_working_folder(tmp_path, monkeypatch):
    fill(tmp_path, "p/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert [(row.id, row.path) for row in open_source("p", IMAGES)] == [("a.jpg", "p/a.jpg")]
    assert [(row.id, row.path) for row in open_source(".", IMAGES)] == [("p/a.jpg", "./p/a.jpg")]
    assert [(row.id, row.path) for row in open_source("p/a.jpg", IMAGES)] == [("a.jpg", "p/a.jpg")]
    assert ids("*/a.jpg") == ["p/a.jpg"]


def test_a_row_knows_this_machines_file(tmp_path):
    fill(tmp_path / "in", "a.png")
    file = tmp_path / "in" / "a.png"
    (tmp_path / "t.csv").write_text(f"id,image\n1,in/a.png\n2,{file}\n")
    (tmp_path / "b.jsonl").write_text('{"image": {"bytes": "iVBORw0KGgo=", "path": "in/a.png"}}\n')
    expected = {"in": [file], "t.csv": [file, file], "b.jsonl": [None]}
    for source, files in expected.items():
        rows = list(open_source(str(tmp_path / source), IMAGES))
        assert [Path(row.file) if row.file else None for row in rows] == files


def test_text_files_are_a_row_each(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "c.txt").write_bytes(b"")
    rows = list(open_source(str(tmp_path), TEXTS))
    assert rows == [
        SourceRow("a.txt", {"texts": "one\ntwo"}, str(tmp_path / "a.txt")),
        UnreadableRow("b.txt", "it is not UTF-8 text", str(tmp_path / "b.txt")),
        UnreadableRow("c.txt", "the file is empty", str(tmp_path / "c.txt")),
    ]


def test_one_text_file_is_a_row_a_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\n\r\ntwo\xff\r\n")
    assert list(open_source(str(tmp_path / "a.txt"), TEXTS)) == [
        SourceRow("0", {"texts": "one"}),
        UnreadableRow("1", "column 'text': it is not UTF-8 text"),
    ]


def test_images_are_rows_and_so_are_texts_where_a_row_is_either(tmp_path):
    fill(tmp_path, "a.png", "b.txt", "many.lst")
    assert ids(tmp_path, EITHER) == ["a.png"]  # a text beside an image mostly is about it
    assert [row.values for row in open_source(str(tmp_path / "*.txt"), EITHER)] == [
        {"texts": "b.txt"}
    ]
    (tmp_path / "many.lst").write_text("b.txt\na.png\n")
    listed = open_source(str(tmp_path / "many.lst"), EITHER)
    assert [row.values for row in listed] == [{"texts": "b.txt"}, {"images": b"a.png"}]
    (tmp_path / "b.txt").write_text("one\ntwo\n")
    lines = open_source(str(tmp_path / "b.txt"), EITHER)
    assert [row.values for row in lines] == [{"texts": "one"}, {"texts": "two"}]


def test_files_that_are_left_out_are_counted(tmp_path):
    fill(tmp_path, "a.jpg", "b.PSD", "in/c.psd", "in/notes.txt", "noise", ".hidden.psd")
    source = open_source(str(tmp_path), IMAGES)
    for _ in range(2):
        assert len(list(source)) == source.count() == 1
        assert source.left_out == {".psd": 2, ".txt": 1, "": 1}
    asked = open_source(f"{tmp_path}/**/*.jpg", IMAGES)
    assert (len(list(asked)), asked.left_out) == (1, {})


def test_a_sample_reads_no_other_file(tmp_path, monkeypatch):
    fill(tmp_path, *(f"{number:03}.jpg" for number in range(100)))
    read = []

    def reading(_: LocalFiles, path: str) -> bytes:
        read.append(path)
        return b"x"

    monkeypatch.setattr(LocalFiles, "read", reading)
    rows = list(open_source(str(tmp_path), IMAGES).each(40))
    assert [row.id for row in rows] == ["000.jpg", "040.jpg", "080.jpg"]
    assert len(read) == 3


def test_kinds_of_files_that_are_left_out_are_many(tmp_path):
    fill(tmp_path, "a.jpg", *(f"b.{n}" for n in range(150)))
    source = open_source(str(tmp_path), IMAGES)
    list(source)
    assert (sum(source.left_out.values()), source.left_out["others"]) == (150, 50)


def test_every_file_that_workers_read_is_a_row(tmp_path):
    fill(tmp_path, "a.mpo", "b.pfm", "c.apng", "d.w64", "e.mp2", "f.j2c")
    assert ids(tmp_path) == ["a.mpo", "b.pfm", "c.apng", "f.j2c"]
    assert ids(tmp_path, get_task("audio-classification")) == ["d.w64", "e.mp2"]


@pytest.mark.parametrize("columns", [Columns(id="name"), Columns(fields={"images": "photo"})])
@pytest.mark.parametrize("spec", ["{}", "{}/a.jpg", "{}/*.jpg", "@{}/list"])
def test_files_have_no_columns(tmp_path, spec, columns):
    fill(tmp_path, "a.jpg", "list")
    with pytest.raises(UsageError, match="this source is files, which have no columns"):
        open_source(spec.format(tmp_path), IMAGES, columns)


def test_a_source_tells_its_files_before_its_rows(tmp_path):
    fill(tmp_path, "b.jpg", "in/a.jpg", "notes.txt")
    (tmp_path / "list").write_text("in/a.jpg\n\nb.jpg\n")
    (tmp_path / "rows.jsonl").write_text('{"image": "b.jpg"}\n')
    a, b = str(tmp_path / "in/a.jpg"), str(tmp_path / "b.jpg")
    told = {
        "{}": [b, a],
        "{}/*.jpg": [b],
        "{}/b.jpg": [b],
        "@{}/list": [a, b],
        "{}/rows.jsonl": [str(tmp_path / "rows.jsonl")],
        "file://{}/rows.jsonl": [str(tmp_path / "rows.jsonl")],
        "file://{}": [b, a],
    }
    for spec, files in told.items():
        assert list(open_source(spec.format(tmp_path), IMAGES).files()) == files, spec


def test_a_list_tells_its_bad_lines_by_number(tmp_path):
    fill(tmp_path, "a.jpg")
    (tmp_path / "x.lst").write_bytes(b"a\0.jpg\na.jpg\n\0\n")
    assert ids(tmp_path / "x.lst") == ["(line 1)", "a.jpg", "(line 3)"]


def test_sounds_are_found(tmp_path):
    fill(tmp_path, "a.flac", "b.MP3", "c.jpg")
    assert ids(tmp_path, get_task("audio-classification")) == ["a.flac", "b.MP3"]


def test_what_cannot_be_read_is_told_and_the_rest_follows(tmp_path):
    fill(tmp_path, "z.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    rows = list(open_source(str(tmp_path), IMAGES))
    assert [(r.id, getattr(r, "reason", "")) for r in rows] == [
        ("empty.jpg", "the file is empty"),
        ("gone.jpg", "there is no such file"),
        ("self.jpg", "too many levels of symbolic links"),
        ("z.jpg", ""),
    ]


def test_links_are_followed_but_not_in_circles(tmp_path):
    fill(tmp_path, "a/x.jpg", "other/y.jpg")
    (tmp_path / "a/back").symlink_to(tmp_path / "a")
    (tmp_path / "a/there").symlink_to(tmp_path / "other")
    assert ids(tmp_path / "a") == ["there/y.jpg", "x.jpg"]
    assert ids(tmp_path) == ["a/there/y.jpg", "a/x.jpg", "other/y.jpg"]


def test_folder_that_goes_away_is_one_unreadable_row(tmp_path):
    fill(tmp_path, "a.jpg", "b/c.jpg", "d.jpg")
    rows = iter(open_source(str(tmp_path), IMAGES))
    assert next(rows).id == "a.jpg"
    (tmp_path / "b/c.jpg").unlink()
    (tmp_path / "b").rmdir()
    (tmp_path / "d.jpg").unlink()
    assert list(rows) == [
        UnreadableRow("b/", "there is no such file", f"{tmp_path}/b/"),
        UnreadableRow("d.jpg", "there is no such file", str(tmp_path / "d.jpg")),
    ]


def test_names_of_any_writing(tmp_path):
    odd = os.fsdecode(b"\xff.jpg")
    fill(tmp_path, "é.jpg", "日本.jpg", "a b#c[1]{x,y}.jpg", "e\nf.jpg")
    (tmp_path / odd).write_bytes(b"odd")
    rows = list(open_source(str(tmp_path), IMAGES))
    found = {row.id: row.values["images"] for row in rows if isinstance(row, SourceRow)}
    assert found["日本.jpg"] == "日本.jpg".encode()
    assert found["\\xff.jpg"] == b"odd"
    assert len(found) == 5
    for row in rows:
        (row.id + row.path).encode()


@pytest.mark.parametrize("name", ["a[1].jpg", "a{1,2}.jpg", "a#b.jpg", "@a.jpg", "a*.jpg"])
def test_what_is_there_by_that_very_name_comes_first(tmp_path, name, monkeypatch):
    fill(tmp_path, name, "a1.jpg")
    monkeypatch.chdir(tmp_path)
    assert ids(name) == [name]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*.jpg", ["a.jpg"]),
        ("*", ["a.jpg", "b.png"]),  # what fits the task
        ("*.dat", ["c.dat"]),  # what is named
        ("**/*.jpg", ["a.jpg", "x/d.jpg", "x/y/e.jpg"]),
        ("x/**", ["d.jpg", "y/e.jpg"]),  # seen from the folder above the first pattern
        ("*/*.jpg", ["x/d.jpg"]),
        ("?/[xy]/*.jpg", ["x/y/e.jpg"]),
        ("x*/**/y/*", ["x/y/e.jpg"]),
        (".*/*.jpg", [".h/f.jpg"]),
        ("[!b].*", ["a.jpg"]),
    ],
)
def test_glob(tmp_path, glob, found):
    fill(tmp_path, "a.jpg", "b.png", "c.dat", "x/d.jpg", "x/y/e.jpg", ".h/f.jpg", "x/.i.jpg")
    assert ids(f"{tmp_path}/{glob}") == found


def test_glob_enters_only_what_can_match(tmp_path, monkeypatch):
    fill(tmp_path, "a/1.jpg", "b/2.jpg", "a/deep/3.jpg")
    entered = []
    scandir = os.scandir

    def enter(folder):
        entered.append(Path(folder).name)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", enter)
    assert ids(f"{tmp_path}/a*/*.jpg") == ["a/1.jpg"]
    assert set(entered) == {tmp_path.name, "a"}


@pytest.mark.parametrize("listed", ["files.lst", "files.paths", "@files.txt"])
def test_list_of_paths_is_relative_to_itself(tmp_path, listed):
    fill(tmp_path / "in", "a.jpg", "b c.jpg")
    (tmp_path / "in" / listed.removeprefix("@")).write_bytes(
        b"\xef\xbb\xbf./a.jpg\r\n\r\nb c.jpg\r\ngone.jpg\nhttps://x/y.jpg\n"
        + bytes(tmp_path / "in/a.jpg")
    )
    at = "@" if listed.startswith("@") else ""
    rows = list(open_source(f"{at}{tmp_path}/in/{listed.removeprefix('@')}", IMAGES))
    assert [row.id for row in rows] == [
        *("a.jpg", "b c.jpg", "gone.jpg", "https://x/y.jpg", str(tmp_path / "in/a.jpg"))
    ]
    assert rows[0] == SourceRow("a.jpg", {"images": b"a.jpg"}, str(tmp_path / "in/a.jpg"))
    assert isinstance(rows[2], UnreadableRow)
    assert rows[2].reason == "there is no such file"
    assert isinstance(rows[3], UnreadableRow)
    assert "not fetched" in rows[3].reason
    assert isinstance(rows[4], SourceRow)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("", "the source is empty"),
        ("nowhere", "nowhere: there is no such file or folder; a source is a folder"),
        ("nowhere/*.jpg", "there is no such file or folder"),
        ("nowhere-{0..3}.tar", "there is no such file or folder"),
        ("@nowhere.txt", "nowhere.txt: there is no such file"),
        ("empty", "empty: no image files are there"),
        ("empty/*.parquet", "there is no such file or folder"),
        ("data.json", "data.json: is no image file by its name"),
        ("foo://x/y", "foo://x/y: Protocol not known: foo"),
    ],
)
def test_what_is_not_there_is_told_at_once(tmp_path, monkeypatch, spec, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "data.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest) as raised:
        open_source(spec, IMAGES)
    assert told in raised.value.message


@pytest.mark.parametrize(
    ("task", "needed"),
    [
        ("document-question-answering", "image and question"),
        ("chat", "messages"),
        ("question-answering", "question and context"),
        ("video-mask-generation", "video and objects_ids and frame_indexes"),
    ],
)
def test_folder_cannot_serve_a_task_of_other_inputs(tmp_path, task, needed):
    fill(tmp_path, "a.jpg")
    with pytest.raises(InvalidRequest, match=f"{task} needs {needed} of every row"):
        open_source(str(tmp_path), get_task(task))


@pytest.mark.parametrize(
    "spec",
    ["{0..99999999999}.tar", "a{9999999..0}.csv", "{0..999}{0..999}{0,1}.tar", "{0..999999}" * 300],
)
def test_braces_of_more_names_than_anybody_means_are_refused(tmp_path, spec):
    """Before they are in memory: a client of a fleet may write them."""
    (tmp_path / "0.tar").write_bytes(b"")
    with pytest.raises(InvalidRequest, match=r"source: \{.* makes it over 1,000,000 names"):
        open_source(f"{tmp_path}/{spec}", IMAGES)


def test_braces_as_a_shell_reads_them():
    assert list(expanded("s-{08..11}.{a,b}")) == [
        f"s-{n}.{end}" for n in ("08", "09", "10", "11") for end in "ab"
    ]
    assert list(expanded("{2..0}")) == ["2", "1", "0"]
    assert list(expanded("{9..10}")) == ["9", "10"]
    assert list(expanded("a{x}{1,}")) == ["a{x}1", "a{x}"]


@pytest.mark.parametrize("run", [1, 3, 7, 100])
def test_names_are_sorted_in_runs(run):
    names = [f"{n * 7919 % 50}é\n" for n in range(50)] + [os.fsdecode(b"\xff"), "a" * 20_000]
    assert list(in_order(names, run=run)) == sorted(names)


def test_flat_listing_matches_as_a_walk_does(tmp_path):
    names = ["a.jpg", "x/b.jpg", "x/y/c.jpg", ".h/d.jpg", "x/.e.jpg"]
    fill(tmp_path, *names)
    for glob in ("**/*", "*", "*/*", "x/**/*.jpg", "**"):
        flat = [n for n in sorted(names) if matching(Pattern(glob), lambda _: True, n)]
        if not glob.startswith("x"):
            assert ids(f"{tmp_path}/{glob}") == flat
    assert matching(Pattern("x/**/*.jpg"), lambda _: True, "x/y/c.jpg")


@pytest.mark.slow
def test_folder_of_20_000_files_takes_no_memory(tmp_path):
    for folder in range(20):
        (tmp_path / f"{folder:02}").mkdir()
        for number in range(1000):
            (tmp_path / f"{folder:02}/{number:04}.jpg").write_bytes(b"x")
    held = []
    tracemalloc.start()
    try:
        for number, _ in enumerate(open_source(str(tmp_path), IMAGES)):
            if number % 1000 == 500:
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(held) == 20
    # One folder's names are held; 20,000 paths would be 2 MB, the rows 10 MB.
    assert max(held) - held[0] < 500_000
