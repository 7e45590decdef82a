"""An output is neither its source, nor in it, nor around it, however the two are spelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.client.annotate.places import all_paths
from wherry.client.annotate.sources import refuse_overlap
from wherry.protocol.errors import InvalidRequest


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of photographs and some tables; links to all, and from among them."""
    monkeypatch.chdir(tmp_path)
    for file in (
        *("ds/images/a.jpg", "ds/images/in/b.jpg", "ds/rows.jsonl", "ds/list.lst", "ds/x.tar"),
        *("ds/saved/state.json", "ds/split/dataset_dict.json", "ds/split/train/state.json"),
        *("more/deep/c.jpg", "other/d.jpg", "x.csv", "y-1.csv", "y-2.csv"),
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x")
    (tmp_path / "link").symlink_to("ds/images")
    (tmp_path / "up").symlink_to("ds")
    (tmp_path / "ds/images/more").symlink_to(tmp_path / "more")
    return tmp_path


def refuse(source: str, out: str, *, is_folder: bool) -> None:
    path = Path(out)
    refuse_overlap(source, path, all_paths(path)[1:], is_folder=is_folder)


@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("ds/images", "ds/images"),
        ("ds/images", "ds"),
        ("ds/images/", "ds/images/out"),
        ("ds/images", "ds/images/in/deep/out"),
        ("ds/images", "link"),
        ("ds/images", "link/out"),
        ("link", "ds/images/out"),
        ("link", "ds"),
        ("ds/images", "up"),
        ("ds/images", "up/images/out"),
        ("up/images", "other/../ds"),
        ("other/../ds/images", "ds"),
        ("{}/ds/images", "ds/images/out"),
        ("ds/images", "{}/ds/images/out"),
        ("file://{}/ds/images", "ds"),
        ("local://{}/ds/images", "link/out"),
        (".", "out"),
        ("ds/images", "more/deep/out"),
        ("ds/images", "more"),
        ("ds/rows.jsonl", "ds"),
        ("up/rows.jsonl", "ds"),
        ("ds/list.lst", "ds"),
        ("@ds/list.lst", "ds"),
        ("ds/x.tar", "up"),
        ("ds/images/a.jpg", "ds"),
        ("ds/saved", "ds/saved/out"),
        ("ds/split#train", "ds/split/out"),
        ("ds/split#train", "ds"),
        ("ds/images/*.jpg", "ds"),
        ("ds/images/**/*.jpg", "ds/images/out"),
        ("ds/images/*/*.jpg", "ds/images/out"),
        ("*/d.jpg", "other"),
        ("ds/{{rows,more}}.jsonl", "ds"),
    ],
)
def test_a_folder_is_refused(source: str, out: str, place: Path) -> None:
    with pytest.raises(InvalidRequest, match="source"):
        refuse(source.format(place), out.format(place), is_folder=True)


@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("ds/images", "ds/images/boxes.json"),
        (".", "boxes.json"),
        ("x.csv", "x.csv"),
        ("x.csv", "./other/../x.csv"),
        ("file://{}/x.csv", "x.csv"),
        ("y-{{1..2}}.csv", "y-2.csv"),
        ("y-*.csv", "y-1.csv"),
        ("y-*.csv", "y-3.csv"),
        ("*", "boxes.json"),
        ("x.csv.errors.jsonl", "x.csv"),
    ],
)
def test_a_file_is_refused(source: str, out: str, place: Path) -> None:
    (place / "x.csv.errors.jsonl").write_text("{}")
    with pytest.raises(InvalidRequest, match="source"):
        refuse(source.format(place), out, is_folder=False)


@pytest.mark.parametrize(
    ("source", "out", "is_folder"),
    [
        ("ds/images", "ds/labels", True),
        ("ds/images", "ds/images-out", True),
        ("ds/images", "ds/images.json", False),
        ("x.csv", "out.csv", False),
        ("ds/rows.jsonl", "ds/rows.csv", False),
        ("ds/rows.jsonl", "ds/out", True),
        ("y-*.csv", "y.csv", False),
        ("*.jpg", "boxes.json", False),
        ("ds/images/*.jpg", "ds/images/boxes.json", False),
        ("ds/images/*.jpg", "ds/images/in", True),
        ("s3://bucket/ds", "ds", True),
        ("memory://ds/images", "ds/images", True),
    ],
)
def test_what_lies_apart_is_not(source: str, out: str, is_folder: bool) -> None:
    refuse(source, out, is_folder=is_folder)


def test_case_is_what_the_file_system_makes_of_it(place: Path) -> None:
    same = (place / "DS").exists()
    if same:
        with pytest.raises(InvalidRequest):
            refuse("ds/images", "DS", is_folder=True)
    else:
        refuse("ds/images", "DS", is_folder=True)
