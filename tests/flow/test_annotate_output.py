"""`wherry annotate` destroys nothing and loses no row in silence, tried as a user would."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer import Typer
from typer.testing import CliRunner, Result

from wherry.client import AsyncClient, Client, annotate_command
from wherry.ops.stack import Stack
from wherry.protocol.errors import InvalidRequest

APP = Typer()
annotate_command.register(APP)


@APP.callback()
def _commands() -> None:
    """Typer would leave out the name of a command that is the only one."""


def wherry(stack: Stack, *arguments: str, cwd: Path) -> Result:
    """What the command says and answers, in this process: `test_annotate` runs it as one."""
    with contextlib.chdir(cwd):
        return CliRunner().invoke(APP, ["annotate", "--url", stack.url, *arguments])


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """A folder as trainers want it: `images`, where labels are to come beside them."""
    for number in range(6):
        file = tmp_path / "ds" / "images" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + number, 16)).save(file)
    (tmp_path / "ds" / "notes.txt").write_text("mine")
    return tmp_path / "ds"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("out", ["ds", "ds/images", "ds/images/out", ".", "ds/images/.."])
def test_an_output_never_takes_the_place_of_its_source(
    stack: Stack, data_set: Path, out: str
) -> None:
    before = tree(data_set.parent)
    for more in ([], ["--overwrite"]):
        done = wherry(
            stack,
            *("ds/images", "--model", "object-detection", "--format", "yolo", "--out", out, *more),
            cwd=data_set.parent,
        )
        assert done.exit_code == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert tree(data_set.parent) == before


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("--param treshold=0.5", "param treshold: object-detection has no such parameter"),
        ("--param threshold=2", "param threshold: 2 should be less than or equal to 1"),
        ("--param threshold=0.5 --param threshold=0.6", "threshold is given twice"),
        ("--retry-errors ds/notes.txt", "ds/notes.txt: line 1 is none that annotate wrote"),
        ("--task objct-detection", "did you mean 'object-detection'?"),
        ("--input text=cat", "input text: object-detection has no such input"),
        ("--input image=a.png", "input image: files are what the source has"),
        ("--format coco-keypoints", "cannot hold what object-detection answers"),
        ("--format yol", "did you mean 'yolo'?"),
        ("--out out.txt", "no format that ends in .txt fits object-detection"),
        ("--out s3://bucket/out", "out 's3://bucket/out': is written on this machine"),
        ("--task image-classification", "model 'object-detection' does object-detection"),
        ("--column text=words", "object-detection has no rows of 'text'"),
        ("--url here", "url 'here'"),
        ("--images link", "images: format 'jsonl' has no use for it"),
        ("--format yolo --images lnk", "images 'lnk'; did you mean 'link'?"),
        ("--split val=0.1", "split: format 'jsonl' has no use for it"),
        ("--format yolo --split valid=0.1", "split 'valid'; did you mean 'val'?"),
        ("--format yolo --split val=1.5", "split val: 1.5 is no share between 0 and 1"),
        ("--format yolo --split val=0.5,test=0.5", "leaves nothing for train"),
        ("--media-prefix s3://b", "media_prefix: format 'jsonl' has no use for it"),
    ],
)
def test_a_command_that_is_wrong_in_itself_exits_with_2(
    stack: Stack, data_set: Path, asked: str, says: str
) -> None:
    table = data_set / "rows.csv"
    table.write_text("id,image\n1,images/1.png\n")
    command = ["ds/rows.csv", "--model", "object-detection", "--out", "out.jsonl"]
    done = wherry(stack, *command, *asked.split(), cwd=data_set.parent)
    assert done.exit_code == 2, done.stderr
    assert says in done.stderr
    assert not list(data_set.parent.glob("out*"))


def test_a_dry_run_is_refused_as_the_run_is(stack: Stack, data_set: Path) -> None:
    (data_set / "mine.jsonl").write_text("mine")
    (data_set / "linked.jsonl").hardlink_to(data_set / "images" / "1.png")
    before = tree(data_set.parent)
    for asked, status in (
        ("--out ds --format yolo", 2),
        ("--out ds/mine.jsonl", 1),
        ("--out ds/linked.jsonl --overwrite", 2),
        ("--out new.jsonl --param threshold=2", 2),
    ):
        command = ["ds/images", "--model", "object-detection", *asked.split()]
        dry, real = (
            wherry(stack, *command, *more, cwd=data_set.parent) for more in (["--dry-run"], [])
        )
        assert (dry.exit_code, dry.stderr) == (real.exit_code, real.stderr)
        assert real.exit_code == status, real.stderr
        assert len(real.stderr.splitlines()) == 1, real.stderr
    assert tree(data_set.parent) == before, "nothing was sent: there is no ledger"


def test_it_is_said_why_rows_failed(stack: Stack, data_set: Path) -> None:
    (data_set / "images" / "empty.png").write_bytes(b"")
    command = ["ds/images", "--model", "object-detection", "--out", "out.csv"]
    done = wherry(stack, *command, cwd=data_set.parent)
    assert done.exit_code == 1
    assert "1 rows; of empty.png: the file is empty" in done.stdout
    assert wherry(stack, *command, "--dry-run", cwd=data_set.parent).exit_code == 1


def test_a_dry_run_says_what_would_be_written_and_replaced(stack: Stack, data_set: Path) -> None:
    command = ["ds/images", "--model", "object-detection", "--out", "out.csv"]
    assert wherry(stack, *command, cwd=data_set.parent).exit_code == 0
    before = tree(data_set.parent)
    dry = wherry(stack, *command, "--dry-run", "--json", cwd=data_set.parent)
    seen = json.loads(dry.stdout)
    beside = [f"out.csv.{end}" for end in ("report.json", "report.html", "errors.jsonl")]
    assert seen["writes"] == ["out.csv", *beside]
    assert (dry.exit_code, seen["replaces"], seen["overwrites"]) == (0, 3, [])
    (data_set.parent / "out.csv").write_text("mine")
    told = wherry(stack, *command, "--dry-run", "--overwrite", cwd=data_set.parent)
    assert "out.csv, which no run wrote" in told.stdout
    assert "would replace 2 files of earlier runs" in told.stdout
    assert tree(data_set.parent) == {**before, "out.csv": b"mine"}


def test_labels_are_written_among_other_files_when_asked(stack: Stack, data_set: Path) -> None:
    run = [
        "ds/images",
        "--model",
        "object-detection",
        "--format",
        "yolo",
        "--out",
        "kept",
        "--json",
    ]
    kept = data_set.parent / "kept"
    (kept / "labels").mkdir(parents=True)
    (kept / "labels" / "mine.txt").write_text("mine")
    done = wherry(stack, *run, cwd=data_set.parent)
    assert done.exit_code == 1
    assert "--overwrite" in done.stderr
    assert list(data_set.parent.glob("kept.*")) == []
    done = wherry(stack, *run, "--overwrite", cwd=data_set.parent)
    assert done.exit_code == 0, done.stderr
    once = tree(kept)
    assert once["labels/mine.txt"] == b"mine"
    assert {f"labels/{number}.txt" for number in range(6)} <= once.keys()
    again = wherry(stack, *run, cwd=data_set.parent)
    assert (again.exit_code, json.loads(again.stdout)["reused"]) == (0, 6)
    assert tree(kept) == once


def test_python_is_refused_alike(stack: Stack, client: Client, data_set: Path) -> None:
    before = tree(data_set.parent)
    images = data_set / "images"
    asked: dict[str, Any] = {"model": "object-detection", "format": "yolo"}

    async def asynchronously() -> None:
        async with AsyncClient(stack.url) as other:
            await other.annotate(images, out=data_set, **asked)

    with pytest.raises(InvalidRequest, match="a folder around the source"):
        client.annotate(images, out=data_set, **asked)
    with pytest.raises(InvalidRequest, match="a folder around the source"):
        asyncio.run(asynchronously())
    with pytest.raises(InvalidRequest, match="not as a run of this output left it"):
        client.annotate(
            images, model="object-detection", out=data_set / "notes.txt", format="jsonl"
        )
    assert tree(data_set.parent) == before


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_broken_lines_among_numbered_ones_fail_alone(client: Client, tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text(
        '{"id": 1, "text": "one"}\n{broken\n{"id": 2, "text": "two"}\n{"id": 3}\n'
        '{"text": "no id"}\n{"id": 0, "text": "zero"}\n'
    )
    summary = client.annotate(source, model="embedding", out=tmp_path / "out.jsonl")
    assert (summary.rows, summary.failed) == (6, 2)
    assert [row["id"] for row in lines(tmp_path / "out.jsonl")] == ["1", "2", "(row 4)", "0"]
    errors = {row["id"]: row["error"] for row in lines(tmp_path / "out.jsonl.errors.jsonl")}
    assert errors.keys() == {"(row 1)", "3"}
    assert errors["(row 1)"] == "line 2 is not JSON"
    # They are tried again under these names.
    source.write_text(source.read_text().replace("{broken", '{"id": 9, "text": "whole"}'))
    again = client.annotate(
        source,
        model="embedding",
        out=tmp_path / "out.jsonl",
        retry_errors=tmp_path / "out.jsonl.errors.jsonl",
    )
    assert (again.rows, again.failed, again.reused) == (6, 1, 4)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_rows_add_up_whatever_ends_the_lines_and_whatever_is_wrong(
    client: Client, tmp_path: Path, ends: str
) -> None:
    given = ["id,text", "1,one", '2,"never closed', "3,three", "4,too,many", "5,five"]
    (tmp_path / "rows.csv").write_bytes(ends.join(given).encode())
    progress = []
    summary = client.annotate(
        tmp_path / "rows.csv",
        model="embedding",
        out=tmp_path / "out.csv",
        observer=lambda seen: progress.append((seen.read, seen.done + seen.failed + seen.reused)),
    )
    assert (summary.rows, summary.failed) == (5, 2)
    assert progress[-1] == (5, 5)
    report = json.loads((tmp_path / "out.csv.report.json").read_text())
    assert (report["rows"], report["answered"], report["failed"]) == (5, 3, 2)
    errors = {row["id"]: row["error"] for row in lines(tmp_path / "out.csv.errors.jsonl")}
    assert errors == {
        "2": "line 3: unexpected end of data",
        "4": "it has 3 cells, and the header 2",
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"id,text\r\n"),
        ("a.csv", b"\xef\xbb\xbf"),
        ("a.jsonl", b"\n\n"),
        ("a.txt", b""),
        ("a.lst", b"\n"),
        ("a.tar", bytes(10240)),
    ],
)
def test_a_source_of_nothing_is_an_error(
    client: Client, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidRequest, match="has no rows"):
        client.annotate(tmp_path / name, model="embedding", out=tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "saved"])
def test_a_table_of_no_rows_is_an_error(client: Client, tmp_path: Path, name: str) -> None:
    table = pa.table({"text": pa.array([], pa.string())})
    if name == "a.parquet":
        pq.write_table(table, tmp_path / name)
    elif name == "a.arrow":
        with pa.ipc.new_stream(tmp_path / name, table.schema) as stream:
            stream.write_table(table)
    else:
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.json").write_text('{"_data_files": []}')
    with pytest.raises(InvalidRequest, match="has no rows"):
        client.annotate(tmp_path / name, model="embedding", out=tmp_path / "out.jsonl")


def test_files_that_are_left_out_are_told(stack: Stack, data_set: Path) -> None:
    for name in ("a.PSD", "b.psd", "c.json", "noise"):
        (data_set / "images" / name).write_bytes(b"x")
    run = ["ds/images", "--model", "object-detection", "--out", "out.jsonl"]
    done = wherry(stack, *run, cwd=data_set.parent)
    assert done.exit_code == 0, done.stderr
    assert "2 .psd, 1 without a suffix, 1 .json" in done.stdout
    report = json.loads((data_set.parent / "out.jsonl.report.json").read_text())
    assert report["rows"] == 6
    assert report["left_out"] == {".psd": 2, ".json": 1, "": 1}


def places(folder: Path) -> dict[str, tuple[int, int]]:
    """Which files there are, and when they were written."""
    found = {p: p.stat() for p in folder.rglob("*") if p.is_file()}
    return {str(p.relative_to(folder)): (s.st_ino, s.st_mtime_ns) for p, s in found.items()}


@pytest.mark.parametrize("images", ["", "copy", "none"])
def test_pictures_lie_beside_labels_and_stay_where_they_are(
    stack: Stack, data_set: Path, images: str
) -> None:
    before, kept = (tree(data_set), places(data_set)), data_set.parent / "kept"
    command = ["ds/images", "--model", "object-detection", "--format", "yolo", "--out", "kept"]
    command += ["--images", images] if images else []
    command += ["--split", "val=0.4"]
    for more in ([], ["--overwrite"]):
        done = wherry(stack, *command, *more, cwd=data_set.parent)
        assert done.exit_code == 0, done.stderr
        found = sorted(kept.glob("images/*/*"))
        assert len(found) == (0 if images == "none" else 6)
        for picture in found:
            assert picture.is_symlink() is not bool(images)
            assert picture.read_bytes() == (data_set / "images" / picture.name).read_bytes()
            assert (kept / "labels" / picture.parent.name / f"{picture.stem}.txt").is_file()
        assert (tree(data_set), places(data_set)) == before
        assert not list(data_set.parent.glob(".wherry-*"))
    (data_set / "images" / "0.png").unlink()
    assert wherry(stack, *command, cwd=data_set.parent).exit_code == 0
    assert not list(kept.rglob("0.*"))


def test_pictures_of_a_table_are_copied(client: Client, data_set: Path) -> None:
    data = {p.stem: p.read_bytes() for p in sorted((data_set / "images").iterdir())}
    cells = [{"bytes": held, "path": "notes.txt"} for held in data.values()]
    table = pa.table({"id": list(data), "image": cells})
    pq.write_table(table, data_set / "rows.parquet")
    out = data_set.parent / "out"
    asked: dict[str, Any] = {"model": "object-detection", "out": out, "format": "voc"}
    client.annotate(data_set / "rows.parquet", **asked)
    assert not (out / "JPEGImages").exists()
    client.annotate(data_set / "rows.parquet", **asked, images="link")
    found = {p.stem: p.read_bytes() for p in (out / "JPEGImages").iterdir() if not p.is_symlink()}
    assert found == data


def test_what_trainers_will_not_find_is_told(stack: Stack, data_set: Path) -> None:
    Image.new("RGB", (16, 16)).save(data_set / "images" / "0.gif")
    command = ["ds/images", "--model", "object-detection", "--format", "yolo", "--out", "kept"]
    done = wherry(stack, *command, "--images", "none", cwd=data_set.parent)
    assert "1 picture ('0.gif') of a kind that Ultralytics does not read" in done.stdout
    assert "1 picture ('0.png') cannot be paired with labels" in done.stdout
    report = json.loads((data_set.parent / "kept.report.json").read_text())
    assert len(report["notes"]) == 2


def turned(kind: str) -> bytes:
    """A picture of 200 x 400 that is stored lying."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), (9, 99, 199)).save(file, kind, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("form", ["yolo", "label-studio", "coco-detection", "voc"])
def test_every_picture_that_is_answered_is_exported(
    client: Client, tmp_path: Path, form: str
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for kind in ("PNG", "WEBP", "JPEG", "TIFF", "AVIF"):
        (photos / f"turned.{kind.lower()}").write_bytes(turned(kind))
    Image.new("RGB", (32, 32)).save(photos / "icon.ico")
    Image.new("RGB", (40, 30)).save(photos / "stream.j2k")
    Image.new("F", (8, 6)).save(photos / "floats.pfm", "PPM")
    Image.new("RGB", (8, 6)).save(
        photos / "many.mpo", save_all=True, append_images=[Image.new("RGB", (8, 6))]
    )
    summary = client.annotate(photos, model="object-detection", out=tmp_path / "out", format=form)
    assert (summary.rows, summary.failed) == (9, 0)


def test_texts_are_written_with_what_is_marked_in_them(stack: Stack, data_set: Path) -> None:
    """Answers hold no text: it is kept while rows are placed, in a run that is gone on with too."""
    texts = [f"{n % 2}: the quick brown fox jumps over the lazy dog" for n in range(3)]
    table = data_set / "texts.jsonl"
    table.write_text(
        "".join(json.dumps({"id": str(n), "text": t}) + "\n" for n, t in enumerate(texts))
    )
    command = ["ds/texts.jsonl", "--model", "token-classification", "--out"]
    for more in (["out.conll"], ["out.conll"], ["lines.jsonl", "--format", "spacy"]):
        done = wherry(stack, *command, *more, cwd=data_set.parent)
        assert done.exit_code == 0, done.stdout
    lines = (data_set.parent / "out.conll").read_text().splitlines()
    assert lines.count("-DOCSTART- -X- O O") == 3
    assert sum("\tB-" in line for line in lines) >= 3
    assert "".join(line.partition("\t")[0] for line in lines if "\t" in line) == (
        "".join(texts).replace(" ", "")
    )
    told = (data_set.parent / "lines.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in told] == texts
