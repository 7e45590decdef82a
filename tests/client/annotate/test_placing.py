"""What is not ours is not touched: outputs of every format, written again, and broken off."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.formats import FORMATS, formats_for, writer_of
from wherry.client.annotate.places import beside, ledger_path, named
from wherry.client.annotate.placing import Placing
from wherry.client.annotate.rows import Annotation
from wherry.client.annotate.standing import Outlook
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.base import Task
from wherry.tasks.registry import get_task, task_names

from .answers import examples, origin

#: Format -> a task that it holds.
TASKS = {
    name: next(t for t in map(get_task, task_names()) if name in formats_for(t)) for name in FORMATS
}
IS_FOLDER = {name: writer_of(name, task).is_folder for name, task in TASKS.items()}
FOLDERS = [name for name, is_folder in IS_FOLDER.items() if is_folder]
FILES = [name for name, is_folder in IS_FOLDER.items() if not is_folder]


def rows(task: Task, names: Sequence[str]) -> list[Annotation]:
    """The task's example under each name."""
    [first, *_] = examples(task.name)
    return [
        replace(first, index=place, id=name, path=f"photos/{name}")
        for place, name in enumerate(names)
    ]


def run(
    out: Path,
    name: str,
    ids: Sequence[str] = ("a.png", "b.png"),
    *,
    overwrite: bool = False,
    errors: bool = False,
    **made: Any,
) -> None:
    """What a run writes."""
    task, is_folder = TASKS[name], IS_FOLDER[name]
    made = {"format": name, "parameters": {}, **made}
    with (
        Placing(out, made, is_folder=is_folder, overwrite=overwrite) as places,
        places.half() as half,
    ):
        with writer_of(name, task)(half / out.name, origin(task.name)) as writer:
            for row in rows(task, ids):
                writer.write(row)
        (half / f"{out.name}.report.json").write_text(" ".join(ids))
        if errors:
            (half / f"{out.name}.errors.jsonl").write_text("{}\n")
        places.place(half)


def tree(folder: Path) -> dict[str, bytes | None]:
    """All there is below a folder; ledgers are what they are."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if ".ledger" not in path.name
    }


def files_of(out: Path) -> list[Path]:
    return sorted(p for p in out.rglob("*") if p.is_file()) if out.is_dir() else [out]


@pytest.mark.parametrize("name", FORMATS)
def test_an_output_is_there_whole_and_the_same_again(tmp_path: Path, name: str) -> None:
    run(tmp_path / "out", name)
    once = tree(tmp_path)
    assert not [path for path in once if path.startswith(".")], "nothing half is left"
    inodes = {file: file.stat().st_ino for file in files_of(tmp_path / "out")}
    run(tmp_path / "out", name)
    assert tree(tmp_path) == once
    assert {file: file.stat().st_ino for file in inodes} == inodes, "equal files stay"


@pytest.mark.parametrize("name", FORMATS)
def test_what_no_run_wrote_is_not_replaced(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    if IS_FOLDER[name]:
        (out / "labels").mkdir(parents=True)
        (out / "labels" / "mine.txt").write_text("mine")
    else:
        out.write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(InvalidRequest, match="--overwrite"):
        run(out, name)
    assert tree(tmp_path) == before
    assert not ledger_path(out).exists()


@pytest.mark.parametrize("name", FORMATS)
def test_overwrite_replaces_what_is_written_and_nothing_else(tmp_path: Path, name: str) -> None:
    run(tmp_path / "clean", name)
    written = [p.relative_to(tmp_path / "clean") for p in files_of(tmp_path / "clean")]
    out = tmp_path / "out"
    for file in written:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        (out / file).write_text("not of a run")
    mine = [out / "photo.jpg", out / "labels" / "mine.txt", out / ".git" / "HEAD"]
    mine = mine if IS_FOLDER[name] else [tmp_path / "photo.jpg"]
    for file in mine:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    run(out, name, overwrite=True)
    assert all(file.read_text() == "mine" for file in mine)
    for file in written:
        assert (out / file).read_bytes() == (tmp_path / "clean" / file).read_bytes()
    run(out, name)  # it is ours from now on
    assert all(file.read_text() == "mine" for file in mine)


@pytest.mark.parametrize("name", FOLDERS)
def test_files_that_were_added_survive_and_those_of_rows_that_left_go(
    tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    run(out, name, ["a.png", "in/b.png"])
    folders = [out, *(p for p in out.rglob("*") if p.is_dir())]
    for folder in folders:
        (folder / "mine.txt").write_text("mine")
    run(out, name, ["c.png"])
    for folder in folders:
        assert (folder / "mine.txt").read_text() == "mine"
        (folder / "mine.txt").unlink()
    run(tmp_path / "clean", name, ["c.png"])
    left = {path.relative_to(out) for path in files_of(out)}
    assert left == {p.relative_to(tmp_path / "clean") for p in files_of(tmp_path / "clean")}


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_was_edited_is_its_editors(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    run(out, name)
    for edited in files_of(out):
        was = edited.read_bytes()
        edited.write_bytes(b"edited" + was[6:])
        before = tree(tmp_path)
        with pytest.raises(InvalidRequest, match=f"{edited.name}.*not as a run"):
            run(out, name)
        assert tree(tmp_path) == before
        edited.write_bytes(was)
    run(out, name)  # with other times, and what they held


@pytest.mark.parametrize("name", FOLDERS)
def test_what_came_to_a_place_meanwhile_is_not_replaced(tmp_path: Path, name: str) -> None:
    """Names of files are known when the rows are: the last look is just before they are placed."""
    out = tmp_path / "out"
    run(out, name, ["a.png"])
    run(tmp_path / "more", name, ["a.png", "b.png"])
    ours = {p.relative_to(out) for p in files_of(out)}
    new = [p.relative_to(tmp_path / "more") for p in files_of(tmp_path / "more")]
    for file in (file for file in new if file not in ours):
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        (out / file).write_text("mine")
        before = tree(tmp_path)
        with pytest.raises(InvalidRequest, match="--overwrite"):
            run(out, name, ["a.png", "b.png"])
        assert tree(tmp_path) == before
        (out / file).unlink()


@pytest.mark.parametrize("suffix", ["errors.jsonl", "report.json", "report.html"])
def test_what_lies_beside_is_safe_too(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "out.csv"
    beside(out, suffix).write_text("mine")
    with pytest.raises(InvalidRequest, match=f"{suffix}.*--overwrite"):
        run(out, "csv")
    assert beside(out, suffix).read_text() == "mine"
    assert not out.exists()


def test_errors_of_an_earlier_run_go_when_there_are_none(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    run(out, "csv", errors=True)
    assert beside(out, "errors.jsonl").exists()
    run(out, "csv")
    assert not beside(out, "errors.jsonl").exists()


def test_another_output_under_one_name_says_what_it_would_replace(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    run(out, "csv", parameters={"threshold": 0.5})
    before = tree(tmp_path)
    with pytest.raises(InvalidRequest) as raised:
        run(out, "csv", parameters={"threshold": 0.7})
    assert 'parameters {"threshold":0.5} -> {"threshold":0.7}' in raised.value.message
    with pytest.raises(InvalidRequest, match='format "csv" -> "jsonl"'):
        run(out, "jsonl", parameters={"threshold": 0.5})
    assert tree(tmp_path) == before
    run(out, "csv", parameters={"threshold": 0.7}, overwrite=True)
    run(out, "csv", parameters={"threshold": 0.7})
    out.unlink()
    run(out, "csv")  # nothing of it is replaced


@pytest.mark.parametrize(("name", "is_file"), [("csv", False), ("yolo", True)])
def test_a_folder_is_never_replaced_by_a_file_nor_a_file_by_a_folder(
    tmp_path: Path, name: str, is_file: bool
) -> None:
    out = tmp_path / "out"
    if is_file:
        out.write_text("mine")
    else:
        out.mkdir()
    with pytest.raises(InvalidRequest, match="and this format writes a"):
        run(out, name, overwrite=True)
    assert out.is_file() == is_file


def test_a_link_is_replaced_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("mine")
    out = tmp_path / "out.csv"
    out.symlink_to("photo.jpg")
    with pytest.raises(InvalidRequest, match="--overwrite"):
        run(out, "csv")
    run(out, "csv", overwrite=True)
    assert (tmp_path / "photo.jpg").read_text() == "mine"
    assert not out.is_symlink()


def test_a_link_inside_leads_nowhere(tmp_path: Path) -> None:
    out, photos = tmp_path / "out", tmp_path / "photos"
    photos.mkdir()
    out.mkdir()
    (out / "labels").symlink_to(photos)
    with pytest.raises(InvalidRequest, match="labels: is in the way"):
        run(out, "yolo", overwrite=True)
    assert list(photos.iterdir()) == []


def test_a_device_is_no_output(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.csv")
    with pytest.raises(InvalidRequest, match="is no file"):
        run(tmp_path / "out.csv", "csv", overwrite=True)


def test_a_rows_own_file_is_never_replaced(tmp_path: Path) -> None:
    """A table may name media that lie where an output goes."""
    out = tmp_path / "out.csv"
    out.write_text("a row")
    made = {"format": "csv"}
    with Placing(out, made, is_folder=False, overwrite=True) as places:
        places.ledger.begin(reuse=True)
        places.ledger.place(0, "a", f"{tmp_path}/../{tmp_path.name}/out.csv", b"k" * 16, None)
        with places.half() as half:
            (half / "out.csv").write_text("answers")
            with pytest.raises(InvalidRequest, match="is a row of the source"):
                places.place(half)
    assert out.read_text() == "a row"


def look(out: Path, name: str, *, overwrite: bool = False, **made: Any) -> Outlook:
    """What a dry run sees."""
    made = {"format": name, "parameters": {}, **made}
    return Placing(out, made, is_folder=IS_FOLDER[name], overwrite=overwrite).look()


@pytest.mark.parametrize("name", FORMATS)
def test_a_look_is_refused_as_a_run_is_and_makes_nothing(tmp_path: Path, name: str) -> None:
    assert look(tmp_path / "new" / "out", name) == Outlook(replaces=0, overwrites=())
    assert list(tmp_path.iterdir()) == []
    out = tmp_path / "out"
    run(out, name, errors=True)
    written = sum(path.is_file() for path in tmp_path.rglob("*")) - 1  # the ledger
    assert look(out, name) == Outlook(replaces=written, overwrites=())
    mine = next(path for path in files_of(out) if path.stat().st_size)
    mine.write_text("mine")
    before, noted = tree(tmp_path), ledger_path(out).read_bytes()
    for parameters in ({}, {"threshold": 0.7}):
        with pytest.raises(InvalidRequest, match="not as a run of this output left it"):
            look(out, name, parameters=parameters)
    seen = look(out, name, overwrite=True)
    assert seen == Outlook(replaces=written - 1, overwrites=(mine,))
    assert (tree(tmp_path), ledger_path(out).read_bytes()) == (before, noted)
    mine.unlink()
    if any(file.exists() for file in files_of(out)):
        with pytest.raises(InvalidRequest, match="another run's answers would be replaced"):
            look(out, name, parameters={"threshold": 0.7})


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("is_hard", [True, False])
def test_a_link_to_a_file_of_the_source_is_refused_before_a_row(
    tmp_path: Path, name: str, is_hard: bool
) -> None:
    out, photo, other = tmp_path / "out", tmp_path / "photo.jpg", tmp_path / "other.jpg"
    photo.write_text("mine")
    other.write_text("mine too")
    link = out / (names_of(name) or ["in"])[0] / "a.png" if IS_FOLDER[name] else out
    for place in (link, beside(out, "report.json")):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.hardlink_to(photo) if is_hard else place.symlink_to(photo)
        places = Placing(
            out,
            {"format": name},
            is_folder=IS_FOLDER[name],
            overwrite=True,
            names=names_of(name),
            source_files=lambda: (str(other), str(photo)),
        )
        before = tree(tmp_path)
        for attempt in (places.look, places.__enter__):
            with pytest.raises(UsageError, match=f"{place.name}.*leads to a file of the source"):
                attempt()
        assert tree(tmp_path) == before
        assert not ledger_path(out).exists()
        place.unlink()


def names_of(name: str) -> tuple[str, ...]:
    return writer_of(name, TASKS[name]).names


@pytest.mark.parametrize("name", [name for name in FOLDERS if names_of(name)])
def test_a_format_writes_where_it_says(tmp_path: Path, name: str) -> None:
    run(tmp_path / "out", name, ["a.png", "in/b.png"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names_of(name))


def test_pictures_may_be_linked_beside_their_labels(tmp_path: Path) -> None:
    """So they are trained on."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    (photos / "a.png").write_text("mine")
    run(out, "yolo", ["a.png"])
    (out / "images").symlink_to(photos)
    (out / "more").mkdir()
    (out / "more" / "a.png").hardlink_to(photos / "a.png")
    for overwrite in (True, False):
        Placing(
            out,
            {"format": "yolo", "parameters": {}},
            is_folder=True,
            overwrite=overwrite,
            names=names_of("yolo"),
            source_files=lambda: (str(photos / "a.png"),),
        ).look()


def test_a_linked_folder_is_refused_where_labels_are_to_be(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels").symlink_to(tmp_path / "elsewhere")
    places = Placing(tmp_path / "out", {}, is_folder=True, overwrite=True, names=names_of("yolo"))
    with pytest.raises(InvalidRequest, match="labels: is a link where files are to be written"):
        places.look()


@pytest.mark.parametrize("out", [".", "", "..", "/", "in/.."])
def test_an_output_has_a_name_of_its_own(out: str) -> None:
    with pytest.raises(InvalidRequest, match="name a file or folder of its own"):
        named(Path(out))


def test_an_output_is_no_url() -> None:
    with pytest.raises(InvalidRequest, match="no URL"):
        named(Path("s3://bucket/labels.csv"))


def run_killed(renames: int, *arguments: Any, **more: Any) -> bool:
    """Run in a process that is killed when it has renamed so many files; whether it was."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == signal.SIGKILL
    left, replace_path = renames, Path.replace

    def dying(self: Path, target: Path) -> Path:
        nonlocal left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return replace_path(self, target)

    Path.replace = dying  # type: ignore[method-assign,assignment] # in the child alone
    try:
        run(*arguments, **more)
    finally:
        os._exit(0)  # whatever it raises: what comes after is the parent's


@pytest.mark.parametrize("renames", range(4))
@pytest.mark.parametrize("name", ["yolo", "csv"])
def test_a_run_that_is_killed_while_it_places_is_gone_on_with(
    tmp_path: Path, name: str, renames: int
) -> None:
    out = tmp_path / "out"
    run(out, name, ["a.png", "b.png"])
    mine = out / "labels" / "mine.txt" if IS_FOLDER[name] else tmp_path / "mine.txt"
    mine.write_text("mine")
    killed = run_killed(renames, out, name, ["b.png", "c.png"], errors=True)
    assert killed or renames >= 3, "a table, its errors and its report are three"
    run(out, name, ["b.png", "c.png"], errors=True)
    assert mine.read_text() == "mine"
    mine.unlink()
    (tmp_path / "clean").mkdir()
    run(tmp_path / "clean" / "out", name, ["b.png", "c.png"], errors=True)
    left = tree(tmp_path)
    clean = {path.removeprefix("clean/"): left[path] for path in left if path.startswith("clean/")}
    assert {p: data for p, data in left.items() if not p.startswith("clean")} == clean
