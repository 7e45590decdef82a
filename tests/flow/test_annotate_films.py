"""Films and pages annotated through the real queue, as a user would."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from typer import Typer
from typer.testing import CliRunner, Result

from wherry.client import Client, annotate_command
from wherry.client.annotate import Options, annotate
from wherry.client.annotate.formats.jsonl import read_annotations
from wherry.client.annotate.run import AnnotateRun
from wherry.ops.stack import Stack
from wherry.tasks.registry import get_task

from ..support import media

APP = Typer()
annotate_command.register(APP)


@APP.callback()
def _commands() -> None:
    """Typer would leave out the name of a command that is the only one."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds, ten frames each."""
    wide = np.random.default_rng(0).integers(0, 255, (48, 96, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    path.write_bytes(media.film(wide[:, number : number + 64] for number in range(30)))
    return path


def wherry(stack: Stack, *arguments: str | Path, cwd: Path) -> Result:
    with contextlib.chdir(cwd):
        return CliRunner().invoke(APP, ["annotate", "--url", stack.url, *map(str, arguments)])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def computed(client: Client, model: str = "object-detection") -> int:
    [stats] = client.get(f"/v2/models/{model}/stats")["model_stats"]
    count: int = stats["inference_count"]
    return count


def test_a_films_frames_are_annotated_for_cvat(
    stack: Stack, client: Client, film: Path, tmp_path: Path
) -> None:
    """And the same command again computes nothing, and writes the same bytes."""
    said = (film, "-m", "object-detection", "--every", "500ms", "--format", "cvat-video")
    before = computed(client)
    done = wherry(stack, *said, "-o", "film", cwd=tmp_path)
    assert done.exit_code == 0, done.output
    assert "rows          6, of which 0 were reused" in done.stdout
    assert computed(client) - before == 6
    document = ET.parse(tmp_path / "film" / "film.xml").getroot()  # our own
    seen = Counter(int(b.attrib["frame"]) for b in document.iter("box") if is_seen(b))
    assert wherry(stack, *said[:-1], "jsonl", "-o", "a.jsonl", cwd=tmp_path).exit_code == 0
    told = rows(tmp_path / "a.jsonl")
    assert [row["frame"] for row in told] == [0, 5, 10, 15, 20, 25]
    assert [row["time"] for row in told] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert [seen[row["frame"]] for row in told] == [len(row["detections"]) for row in told]
    assert sum(seen.values()) > 0
    before = computed(client)
    whole = {p.name: p.read_bytes() for p in (tmp_path / "film").iterdir()}
    again = wherry(stack, *said, "-o", "film", cwd=tmp_path)
    assert "6, of which 6 were reused" in again.stdout
    assert computed(client) == before
    assert whole == {p.name: p.read_bytes() for p in (tmp_path / "film").iterdir()}


@pytest.mark.slow
def test_a_film_of_a_minute_is_annotated_for_cvat(stack: Stack, tmp_path: Path) -> None:
    wide = np.random.default_rng(0).integers(0, 255, (48, 700, 3), dtype=np.uint8)
    (tmp_path / "film.mp4").write_bytes(
        media.film(wide[:, number : number + 64] for number in range(600))
    )
    said = ("film.mp4", "-m", "object-detection", "--every", "1s", "--format", "cvat-video")
    done = wherry(stack, *said, "-o", "film", cwd=tmp_path)
    assert done.exit_code == 0, done.output
    document = ET.parse(tmp_path / "film" / "film.xml").getroot()  # our own
    seen = {int(box.attrib["frame"]) for box in document.iter("box") if is_seen(box)}
    assert seen
    assert seen <= set(range(0, 600, 10))
    assert "rows          60, " in done.stdout


def test_it_is_told_that_frames_have_no_pictures(stack: Stack, film: Path, tmp_path: Path) -> None:
    said = (film, "-m", "object-detection", "--every", "1s", "-o")
    done = wherry(stack, *said, "boxes.json", cwd=tmp_path)
    assert "the pictures of frames and pages lie nowhere" in done.stdout
    done = wherry(stack, *said, "boxes.jsonl", cwd=tmp_path)
    assert "pictures" not in done.stdout


def is_seen(box: ET.Element) -> bool:
    return box.attrib["outside"] == "0"


def test_a_run_that_ends_amid_a_film_goes_on(
    client: Client, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, Any] = {"source": str(film), "model": "image-classification", "frames": "all"}
    out = tmp_path / "broken.jsonl"
    before = computed(client, "image-classification")
    run = AnnotateRun.run

    def broken(self: AnnotateRun) -> Iterator[Any]:
        for progress in run(self):
            yield progress
            if progress.done >= 8:
                raise KeyboardInterrupt

    monkeypatch.setattr(AnnotateRun, "run", broken)
    with pytest.raises(KeyboardInterrupt):
        annotate(client, Options(out=out, **said))
    monkeypatch.undo()
    summary = annotate(client, Options(out=out, **said))
    assert (summary.rows, summary.failed) == (30, 0)
    assert computed(client, "image-classification") - before == 30
    assert annotate(client, Options(out=tmp_path / "whole.jsonl", **said)).rows == 30
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_dry_run_counts_the_frames(stack: Stack, film: Path, tmp_path: Path) -> None:
    said = (film, "-m", "object-detection", "--frames", "3", "-o", "a.jsonl", "--dry-run", "--json")
    done = wherry(stack, *said, cwd=tmp_path)
    assert json.loads(done.stdout)["rows"] == 10
    assert not list(tmp_path.iterdir())


def test_a_film_of_unsaid_frames_is_refused_with_both_options(
    stack: Stack, film: Path, tmp_path: Path
) -> None:
    done = wherry(stack, film, "-m", "object-detection", "-o", "a.jsonl", cwd=tmp_path)
    assert done.exit_code == 2
    assert "is a film: say which frames are rows: --every 1s takes" in done.output
    assert "--frames N every N-th" in done.output
    assert not list(tmp_path.iterdir())


def test_frames_that_nobody_asked_for_are_told(
    stack: Stack, client: Client, film: Path, tmp_path: Path
) -> None:
    (tmp_path / "scans").mkdir()
    pages = [Image.new("RGB", (20, 10 + n), (n, 0, 0)) for n in range(3)]
    pages[0].save(tmp_path / "scans" / "scan.tif", save_all=True, append_images=pages[1:])
    done = wherry(stack, "scans", "-m", "object-detection", "-o", "a.jsonl", cwd=tmp_path)
    assert "left out      2 frames of .tif" in done.stdout
    report = json.loads((tmp_path / "a.jsonl.report.json").read_text())
    assert report["left_out"] == {"frames of .tif": 2}
    assert "frame" not in rows(tmp_path / "a.jsonl")[0]
    summary = client.annotate(
        tmp_path / "scans", model="object-detection", out=tmp_path / "b.jsonl", frames="all"
    )
    assert not summary.left_out
    read = list(read_annotations(tmp_path / "b.jsonl", get_task("object-detection")))
    assert [(a.id, a.size, a.frame and a.frame.number) for a in read] == [
        (f"scan.tif#frame={n}", (20, 10 + n), n) for n in range(3)
    ]


def test_a_broken_films_rows_count_and_the_next_file_follows(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    """Its failed rest is tried again when it is asked for, and then whole."""
    films = tmp_path / "films"
    films.mkdir()
    noise = np.random.default_rng(1).integers(0, 255, (40, 48, 64, 3), dtype=np.uint8)
    whole = media.film(noise)
    middle, end = whole.index(b"moov") // 2, whole.index(b"moov") - 4
    # The times, which come last, are there; half of the pictures are not.
    (films / "a.mp4").write_bytes(whole[:middle] + bytes(end - middle) + whole[end:])
    (films / "b.mp4").write_bytes(media.film(noise[:10]))
    said = ("films", "-m", "object-detection", "-o", "a.jsonl", "--every", "500ms")
    done = wherry(stack, *said, cwd=tmp_path)
    assert done.exit_code == 1
    ids = [row["id"] for row in rows(tmp_path / "a.jsonl")]
    assert ids[:2] == ["a.mp4#t=0.000", "a.mp4#t=0.500"]
    assert ids[-2:] == ["b.mp4#t=0.000", "b.mp4#t=0.500"]
    [error] = rows(tmp_path / "a.jsonl.errors.jsonl")
    assert error["id"] == "a.mp4#rest"
    assert error["error"].startswith("the rest of this file cannot be read: the film ")
    (films / "a.mp4").write_bytes(whole)
    again = wherry(stack, *said, "--retry-errors", "a.jsonl.errors.jsonl", cwd=tmp_path)
    assert again.exit_code == 0, again.output
    assert len(rows(tmp_path / "a.jsonl")) == 8 + 2
