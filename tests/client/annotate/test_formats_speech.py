"""WebVTT, SubRip and CTM: what was said, and when.

tests/peers/test_annotation_readers.py has real readers of the first two.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.formats import writer_of
from wherry.client.annotate.rows import Annotation
from wherry.protocol.errors import RowError
from wherry.tasks.registry import get_task

from .answers import HARD_IDS, origin, written

TASK = "automatic-speech-recognition"
SENTENCES = [(" All <b> aboard & on.", 0.0, 2.5), (" Cast off! -->", 3661.25, 3661.25), (" ", 4, 5)]


def said(index: int, chunks: Any, text: str = "", row_id: str = "") -> Annotation:
    """A sound's answer."""
    parts = chunks and [dict(zip(("text", "start", "end"), chunk, strict=True)) for chunk in chunks]
    text = text or "".join(chunk[0] for chunk in chunks or ())
    output = get_task(TASK).output.model_validate({"texts": [text], "chunks": [parts]})
    return Annotation(index, row_id or f"talks/{index}.wav", f"talks/{index}.wav", output, None)


def test_webvtt(tmp_path):
    out = written("webvtt", tmp_path / "out", [said(0, SENTENCES), said(1, [])], TASK)
    assert (out / "talks" / "0.vtt").read_text() == (
        "WEBVTT\n"
        "\n1\n00:00:00.000 --> 00:00:02.500\nAll &lt;b&gt; aboard &amp; on.\n"
        "\n2\n01:01:01.250 --> 01:01:01.251\nCast off! --&gt;\n"
    )
    assert (out / "talks" / "1.vtt").read_text() == "WEBVTT\n"
    assert len((out / "sounds.jsonl").read_text().splitlines()) == 2


def test_srt(tmp_path):
    out = written("srt", tmp_path / "out", [said(0, SENTENCES)], TASK)
    assert (out / "talks" / "0.srt").read_text() == (
        "1\n00:00:00,000 --> 00:00:02,500\nAll <b> aboard & on.\n\n"
        "2\n01:01:01,250 --> 01:01:01,251\nCast off! ->\n\n"
    )


def test_words_are_joined_to_lines(tmp_path):
    words = [(f"word{n}", n * 0.5, n * 0.5 + 0.4) for n in range(20)]
    words[3] = ("end.", *words[3][1:])
    words += [("late", 60.0, 60.4)]
    out = written("srt", tmp_path / "out", [said(0, words)], TASK)
    cues = re.findall(r"\d+\n(.*) --> (.*)\n(.*)\n\n", (out / "talks" / "0.srt").read_text())
    assert [cue[2].split()[0] for cue in cues] == ["word0", "word4", "word17", "late"]
    assert cues[0] == ("00:00:00,000", "00:00:01,900", "word0 word1 word2 end.")
    assert " ".join(cue[2] for cue in cues).split() == [word for word, _, _ in words]


def test_sentences_without_blanks_stay_apart(tmp_path):
    sentences = [("\u307e\u3044\u65e5", 0, 2), ("\u306f\u308c", 2, 4)]
    out = written("srt", tmp_path / "out", [said(0, sentences)], TASK)
    assert (out / "talks" / "0.srt").read_text().count("-->") == 2


def test_ctm(tmp_path):
    rows = [
        said(0, [("all", 0.0625, 0.5), ("aboard", 0.5, 1.0)], row_id="a b/1;%.wav"),
        said(1, [(" Cast off", 1.0, 1.7)]),
        said(2, []),
    ]
    assert written("ctm", tmp_path / "out.ctm", rows, TASK).read_text().splitlines() == [
        ";; Speech recognition by sea 3",
        "a%20b/1%3B%25 1 0.062 0.438 all",
        "a%20b/1%3B%25 1 0.500 0.500 aboard",
        ";; talks/1: words share the time of their sentence",
        "talks/1 1 1.000 0.400 Cast",
        "talks/1 1 1.400 0.300 off",
    ]


def test_ctm_names_any_sound(tmp_path):
    rows = [said(n, [("hm", 0, 1)], row_id=row_id or " ") for n, row_id in enumerate(HARD_IDS)]
    lines = written("ctm", tmp_path / "out.ctm", rows, TASK).read_text().splitlines()[1:]
    assert all(re.fullmatch(r"[^\s;]+ 1 0\.000 1\.000 hm", line) for line in lines)
    assert len(set(lines)) == len(HARD_IDS)


@pytest.mark.parametrize("name", ["webvtt", "srt", "ctm"])
def test_an_answer_without_times_is_refused_and_leaves_nothing(tmp_path: Path, name: str):
    with writer_of(name, get_task(TASK))(tmp_path / "out", origin(TASK)) as writer:
        writer.write(said(0, None))  # nothing was said
        for row in (
            said(1, None, "Hello."),
            said(2, [], "Hello."),
            said(3, [("a", 0, float("nan"))]),
        ):
            with pytest.raises(RowError, match="tells no times; the parameter|has no time"):
                writer.write(row)
    written(name, tmp_path / "without", [said(0, None)], TASK)
    files = [(tmp_path / out).rglob("*") for out in ("out", "without")]
    assert len({sum(1 for _ in found) for found in files}) == 1
