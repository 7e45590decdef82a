"""What is settled before a run begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from wherry.client.annotate.fleet import Fleet
from wherry.client.annotate.prepared import Options, PreparedRun, prepared
from wherry.client.errors import UsageError


class _Server:
    """Declares a model of each task, called as the task is."""

    def get(self, path: str) -> dict[str, Any]:
        return {"versions": ["1"], "parameters": {"task": path.rpartition("/")[2]}}


def asked(tmp_path: Path, model: str, out: str, **fields: Any) -> PreparedRun:
    (tmp_path / "talks").mkdir(exist_ok=True)
    (tmp_path / "talks" / "1.wav").write_bytes(b"RIFF")
    source = str(tmp_path / "talks")
    options = Options(source=source, model=model, out=tmp_path / out, **fields)
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
