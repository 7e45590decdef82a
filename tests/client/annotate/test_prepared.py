"""What is settled before a run begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import typer
from PIL import Image

from wherry.client.annotate.fleet import Fleet
from wherry.client.annotate.prepared import Options, PreparedRun, prepared
from wherry.client.command_inputs import seconds_of
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest


class _Server:
    """Declares a model of each task, called as the task is."""

    def get(self, path: str) -> dict[str, Any]:
        return {"versions": ["1"], "parameters": {"task": path.rpartition("/")[2]}}


def asked(tmp_path: Path, model: str, out: str, **fields: Any) -> PreparedRun:
    (tmp_path / "talks").mkdir(exist_ok=True)
    (tmp_path / "talks" / "1.wav").write_bytes(b"RIFF")
    given = {"source": str(tmp_path / "talks"), **fields}
    options = Options(model=model, out=tmp_path / out, **given)
    return prepared(cast("Fleet", _Server()), options)


@pytest.mark.parametrize(("name", "out"), [("webvtt", "o"), ("srt", "o"), ("", "o.ctm")])
def test_a_format_asks_for_what_it_writes(tmp_path: Path, name: str, out: str) -> None:
    told = asked(tmp_path, "automatic-speech-recognition", out, format=name)
    assert told.origin.parameters == {"return_timestamps": True}
    with pytest.raises(UsageError, match="param return_timestamps: false: format '.*' needs true"):
        asked(
            tmp_path,
            "automatic-speech-recognition",
            out,
            format=name,
            parameters={"return_timestamps": False},
        )


def test_other_formats_ask_for_nothing(tmp_path: Path) -> None:
    assert not asked(tmp_path, "automatic-speech-recognition", "out.jsonl").origin.parameters


@pytest.mark.parametrize(("out", "name"), [("talk.vtt", "webvtt"), ("talk.srt", "srt")])
def test_a_file_of_subtitles_is_one_of_a_folder(tmp_path: Path, out: str, name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' writes a .* name a folder .*{name}"):
        asked(tmp_path, "automatic-speech-recognition", out)
    with pytest.raises(UsageError, match="no format that ends in"):
        asked(tmp_path, "audio-classification", out)


@pytest.mark.parametrize("name", ["cvat-video", "label-studio-video", "mot"])
def test_a_format_of_films_is_no_pictures(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    source = str(tmp_path / "*.png")
    with pytest.raises(UsageError, match=f"format {name}: is of films: .*--every 1s"):
        asked(tmp_path, "object-detection", "out", format=name, source=source)
    assert asked(tmp_path, "object-detection", "out", format=name, source=source, every=1.0)


def test_other_frames_make_another_output(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    given = {"source": str(tmp_path / "*.png")}
    placing = asked(tmp_path, "object-detection", "out.jsonl", **given, every=1.0).placing
    with placing, placing.half() as half:
        (half / "out.jsonl").write_text("")
        placing.place(half)
    with pytest.raises(InvalidRequest, match=r'frames "every 1 s" -> "all"'):
        asked(tmp_path, "object-detection", "out.jsonl", **given, frames="all").placing.look()
    asked(tmp_path, "object-detection", "out.jsonl", **given, every=1.0).placing.look()


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("1s", 1), ("500ms", 0.5), ("2", 2), ("0.5s", 0.5), (".25", 0.25), ("2m", 120), ("1 h", 3600)],
)
def test_a_time_is_told_as_people_do(given: str, seconds: float) -> None:
    assert seconds_of(given, "--every") == pytest.approx(seconds)


@pytest.mark.parametrize("given", ["", "s", "1 day", "-1s", "1e3", "nan", "1,5s"])
def test_what_is_no_time_is_refused(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="--every .* expected a time as 1s, 500ms"):
        seconds_of(given, "--every")
