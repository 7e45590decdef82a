"""Files that are many rows: frames of films and moving pictures, pages of documents."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wherry.client.annotate.constants import SharedInputs
from wherry.client.annotate.rows import SampledFrame, SourceRow, UnreadableRow
from wherry.client.annotate.sources import Source, files, local_files, open_source
from wherry.client.annotate.sources.sampling import USUAL, sampling_of
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task

from ...support import media

IMAGES = get_task("image-classification")


def picture(number: int) -> NDArray[np.uint8]:
    """Its number can be read from how bright it is."""
    return np.full((32, 48, 3), 20 + 6 * number, np.uint8)


PICTURES = [picture(number) for number in range(30)]


@pytest.fixture(scope="module")
def film() -> bytes:
    """Three seconds, ten frames each."""
    return media.film(PICTURES)


@pytest.fixture(scope="module")
def broken(film: bytes) -> bytes:
    """The times are there, half of the pictures are not."""
    noise = np.random.default_rng(0).integers(0, 255, (30, 32, 48, 3), np.uint8)
    whole = media.film(noise)
    end = whole.index(b"moov") - 4
    return whole[: end // 2] + bytes(end - end // 2) + whole[end:]


def source(spec: str | Path, every: float | None = None, frames: Any = None) -> Source:
    return open_source(str(spec), IMAGES, sampling=sampling_of(IMAGES, every, frames))


def ids(rows: Source) -> list[str]:
    return [row.id for row in rows]


def number_of(row: Any) -> int:
    pixels = np.asarray(Image.open(io.BytesIO(row.values["images"])))
    return round((float(pixels.mean()) - 20) / 6)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"every": 1.0}, [0, 10, 20]),
        ({"every": 0.35}, [0, 3, 7, 10, 14, 17, 21, 24, 28]),
        ({"every": 0.05}, list(range(30))),  # a frame is one row, however often it is seen
        ({"frames": "first"}, [0]),
        ({"frames": "all"}, list(range(30))),
        ({"frames": 12}, [0, 12, 24]),
        ({"frames": "12"}, [0, 12, 24]),
    ],
)
def test_a_films_rows_are_those_that_are_asked_for(
    tmp_path: Path, film: bytes, options: dict[str, Any], numbers: list[int]
) -> None:
    (tmp_path / "film.mp4").write_bytes(film)
    found = source(tmp_path / "film.mp4", **options)
    rows: list[Any] = list(found)
    assert [number_of(row) for row in rows] == numbers
    assert [row.id for row in rows] == [f"film.mp4#t={n / 10:.3f}" for n in numbers]
    assert rows[-1].frame == SampledFrame("film.mp4", numbers[-1], 30, numbers[-1] / 10)
    assert {row.path for row in rows} == {str(tmp_path / "film.mp4")}
    assert found.count() == found.counted() == len(numbers), "without decoding a frame"
    again: list[Any] = list(found)
    assert [row.values for row in again] == [row.values for row in rows], "the same bytes again"


def test_a_film_is_read_where_it_lies(
    tmp_path: Path, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film.mp4").write_bytes(film)
    monkeypatch.setattr(local_files.LocalFiles, "read", lambda *_: pytest.fail("read whole"))
    assert len(list(source(tmp_path / "film.mp4", every=1.0))) == 3


def test_frames_closer_than_a_millisecond_have_ids_apart(tmp_path: Path) -> None:
    fast = media.film(PICTURES[:3], "matroska", "mpeg4", fps=1000)
    (tmp_path / "fast.mkv").write_bytes(fast)
    found = ids(source(tmp_path / "fast.mkv", frames="all"))
    assert len(set(found)) == 3


def test_folders_globs_and_lists_of_films_are_rows(tmp_path: Path, film: bytes) -> None:
    for name in ("a/b.mp4", "c.mov", "d.PNG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(film)
    Image.fromarray(picture(3)).save(tmp_path / "d.PNG")
    (tmp_path / "e.paths").write_text("c.mov\na/b.mp4\n")
    rows = [f"{name}#t={n}.000" for name in ("a/b.mp4", "c.mov") for n in range(3)]
    found = source(tmp_path, every=1.0)
    assert ids(found) == [*rows, "d.PNG"]
    assert found.left_out == {".paths": 1}
    assert found.count() is None, "a run does not read all films to count them"
    assert found.counted() == 7
    assert ids(source(f"{tmp_path}/**/*.m*", every=1.0)) == rows
    assert ids(source(tmp_path / "e.paths", every=1.0)) == [*rows[3:], *rows[:3]]


def test_a_broken_film_is_one_error_and_the_next_file_follows(
    tmp_path: Path, film: bytes, broken: bytes
) -> None:
    (tmp_path / "a.mp4").write_bytes(broken)
    (tmp_path / "b.mp4").write_bytes(film[:100])
    (tmp_path / "c.mp4").write_bytes(film)
    rows = list(source(tmp_path, frames=5))
    first = [row.id for row in rows if row.id.startswith("a.mp4#t")]
    assert 0 < len(first) < 6
    rest, whole, *others = rows[len(first) :]
    assert isinstance(rest, UnreadableRow)
    assert rest.id == "a.mp4#rest"
    assert rest.reason.startswith("the rest of this file cannot be read: the film ")
    assert isinstance(whole, UnreadableRow)
    assert (whole.id, whole.reason) == ("b.mp4", "the film cannot be read (InvalidDataError)")
    assert len(others) == 6


@pytest.mark.parametrize("name", ["film.mp4", "*.mp4"])
def test_a_film_of_unsaid_frames_is_refused(tmp_path: Path, film: bytes, name: str) -> None:
    (tmp_path / "film.mp4").write_bytes(film)
    with pytest.raises(UsageError, match="is a film: say which frames are rows: --every 1s .*--fr"):
        source(tmp_path / name)
    with pytest.raises(InvalidRequest, match="no image files are there .*of films say which"):
        source(tmp_path)


def test_a_film_that_is_met_unasked_is_an_error_of_its_row(tmp_path: Path, film: bytes) -> None:
    """Whatever its name says, and where a list names it."""
    (tmp_path / "film.jpg").write_bytes(film)
    (tmp_path / "film.mp4").write_bytes(film)
    (tmp_path / "a.paths").write_text("film.jpg\nfilm.mp4\n")
    for row in source(tmp_path / "a.paths"):
        assert isinstance(row, UnreadableRow)
        assert row.reason.startswith("it is a film (MP4, M4A, MOV or 3GP): say which frames")


@pytest.mark.parametrize(
    ("task", "options", "reason"),
    [
        ("video-classification", {"every": 1.0}, "every: video-classification takes no picture"),
        ("automatic-speech-recognition", {"frames": "all"}, "frames: automatic-speech-.* a row"),
        ("object-detection", {"every": 1.0, "frames": 2}, "both say which frames are rows"),
        ("object-detection", {"every": 0.0}, "every: expected seconds over 0, got 0"),
        ("object-detection", {"frames": "some"}, "frames: expected first, all, or .* 'some'"),
        ("object-detection", {"frames": 0}, "frames: expected first, all, or a number N"),
        ("object-detection", {"frames": True}, "frames: expected first, all, or a number N"),
    ],
)
def test_what_cannot_be_asked_for_is_said(task: str, options: dict[str, Any], reason: str) -> None:
    given = {"every": None, "frames": None, **options}
    with pytest.raises(UsageError, match=reason):
        sampling_of(get_task(task), **given)


def test_tables_are_not_sampled(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"image": "a.mp4"}\n')
    with pytest.raises(UsageError, match="every, frames: sample files: a folder, a glob"):
        source(tmp_path / "a.jsonl", every=1.0)


def test_tasks_that_take_films_have_them_as_one_row(tmp_path: Path, film: bytes) -> None:
    (tmp_path / "film.mp4").write_bytes(film)
    for name in ("video-classification", "automatic-speech-recognition"):
        [row] = open_source(str(tmp_path), get_task(name))
        assert (row.id, isinstance(row, SourceRow) and row.frame) == ("film.mp4", None)


def save(path: Path, pictures: list[NDArray[np.uint8]], **options: Any) -> None:
    first, *others = map(Image.fromarray, pictures)
    first.save(path, save_all=True, append_images=others, **options)


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png", ".avif"])
def test_frames_of_a_picture_are_rows_when_asked_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    save(path, PICTURES[:5], **({"lossless": True} if suffix == ".webp" else {}))
    rows: list[Any] = list(source(path, frames=2))
    assert [row.id for row in rows] == [f"scan{suffix}#frame={n}" for n in (0, 2, 4)]
    assert [number_of(row) for row in rows] == [0, 2, 4]
    assert rows[1].frame == SampledFrame(path.name, 2, 5)
    [whole] = unasked = source(path)
    assert isinstance(whole, SourceRow)
    assert (whole.id, whole.frame) == (path.name, None)
    assert whole.values["images"] == path.read_bytes()
    assert unasked.left_out == {f"frames of {suffix}": 4}
    assert list(unasked)
    assert unasked.left_out == {f"frames of {suffix}": 4}, "once, however often it is read"
    [first] = asked = source(path, frames="first")
    assert (first.id, asked.left_out) == (path.name, {})
    assert isinstance(first, SourceRow)
    assert first.file == str(path), "as it is, for who links pictures"


def test_a_still_picture_is_one_row_whatever_is_asked(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png", "c.tif"):
        Image.fromarray(picture(1)).save(tmp_path / name)
    found = source(tmp_path, frames="all")
    rows: list[Any] = list(found)
    assert [row.id for row in rows] == ["a.jpg", "b.png", "c.tif"]
    assert all(isinstance(row, SourceRow) and row.frame is None for row in rows)
    assert found.counted() == 3


def test_every_page_of_a_document_is_a_row(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2", reason="in the extra pictures")
    save(tmp_path / "doc.pdf", PICTURES[:3], resolution=200)
    found = source(tmp_path)
    rows: list[Any] = list(found)
    assert [row.id for row in rows] == [f"doc.pdf#page={n}" for n in (1, 2, 3)]
    assert rows[1].frame == SampledFrame("doc.pdf", 1, 3, page=2)
    assert [number_of(row) for row in rows] == [0, 1, 2]
    assert (found.left_out, found.count(), found.counted()) == ({}, None, 3)
    assert ids(source(tmp_path, frames="first")) == ["doc.pdf#page=1"]


def test_a_document_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Here, or the server would answer its first page."""
    (tmp_path / "doc.pdf").write_bytes(b"%PDF-1.7 broken")
    [row] = source(tmp_path)
    assert isinstance(row, UnreadableRow)
    assert "PDF" in row.reason


@pytest.fixture
def far(film: bytes) -> Iterator[Any]:
    memory = fsspec.filesystem("memory")
    memory.pipe("/films/a.mp4", film)
    memory.pipe("/films/b.mp4", film)
    yield memory
    memory.rm("/films", recursive=True)


def test_a_film_elsewhere_is_fetched_once(far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    held = files.FileStore.held

    def counting(self: files.FileStore, path: str) -> Any:
        opened.append(path)
        return held(self, path)

    monkeypatch.setattr(files.FileStore, "held", counting)
    rows = list(source("memory://films", every=1.0))
    assert [row.id for row in rows] == [f"{name}.mp4#t={n}.000" for name in "ab" for n in range(3)]
    assert opened == ["/films/a.mp4", "/films/b.mp4"]


def test_what_all_rows_share_stands_beside_a_frame(tmp_path: Path, film: bytes) -> None:
    (tmp_path / "film.mp4").write_bytes(film)
    task = get_task("visual-question-answering")
    columns = source(tmp_path, every=1.0).columns
    whole = open_source(
        str(tmp_path),
        task,
        type(columns)(constants={"questions": "Who?"}),
        sampling_of(task, 1.0, None),
    )
    rows = list(SharedInputs(whole))
    assert all(isinstance(row, SourceRow) and row.frame for row in rows)
    assert SharedInputs(whole).counted() == 3


def test_nothing_asked_is_nothing_told() -> None:
    assert USUAL.told is None
    told = [sampling_of(IMAGES, *given).told for given in ((1.5, None), (None, "all"), (None, 3))]
    assert told == ["every 1.5 s", "all", "3"]


#: Reads every frame of a film; prints the peak that it came to in KiB, and how many there were.
PROGRAM = """
import pathlib, re, sys
from wherry.client.annotate.sources import open_source
from wherry.client.annotate.sources.sampling import sampling_of
from wherry.tasks.registry import get_task

task = get_task("image-classification")
rows = open_source(sys.argv[1], task, sampling=sampling_of(task, None, "all"))
print(sum(bool(row.values) for row in rows))
print(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_a_film(tmp_path: Path) -> None:
    peaks = []
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    for count in (200, 2000):
        path = tmp_path / f"{count}.mp4"
        path.write_bytes(media.film(np.roll(noise, n % 300, axis=1) for n in range(count)))
        told = subprocess.run(
            [sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, check=True
        ).stdout.split()
        assert told[0] == str(count)
        peaks.append(int(told[1]))
    assert peaks[1] - peaks[0] < 5_000, f"{peaks} KiB"


def test_a_picture_of_several_frames_that_is_one_row_is_its_file(tmp_path: Path) -> None:
    frames = [Image.fromarray(picture) for picture in PICTURES[:2]]
    path = tmp_path / "pages.tif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    (row,) = open_source(str(tmp_path), IMAGES)
    assert isinstance(row, SourceRow)
    assert row.file == str(path)
