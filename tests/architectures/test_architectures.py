"""Every type of model that transformers lists, against docs/models.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import page, verdicts
from .heads import units
from .known import known_pairs
from .sizes import version

_ROOT = Path(__file__).parents[2]

#: A few that take little time, of each kind of reading.
_SAMPLE = {
    "text-classification": "bert",
    "chat": "gpt2",
    "text2text-generation": "bart",
    "image-classification": "vit",
    "object-detection": "yolos",
    "automatic-speech-recognition": "wav2vec2",
}


def _listed() -> set[tuple[str, str]]:
    return {(task, kind) for _, kind, tasks in units() for task in tasks}


def _tried(file: Path, *arguments: str, timeout_s: float) -> verdicts.Verdicts:
    """What the sweep says now, in a process that has no threads to fork beside."""
    command = [sys.executable, "-m", "tests.architectures", "--json", str(file), *arguments]
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return verdicts.read(file)[1]


def _words(found: verdicts.Verdicts) -> dict[tuple[str, str], str]:
    return {pair: verdict.word for pair, verdict in found.items()}


def test_the_page_is_that_of_the_verdicts() -> None:
    assert page.FILE.read_text(encoding="utf-8") == page.text(), "run `make models`"


def test_every_type_of_this_transformers_has_a_verdict() -> None:
    made_with, found = verdicts.read()
    assert made_with == version(), "run `make models`"
    assert found.keys() == _listed(), "run `make models`"


def test_what_is_wrong_is_known() -> None:
    wrong = {pair for pair, word in _words(verdicts.read()[1]).items() if word == "wrong"}
    assert wrong == known_pairs(), "a fault of ours: mend it, or tell of it in known.py"


@pytest.mark.timeout(900)  # on a machine that is busy; alone it takes fifteen seconds
def test_a_few_are_as_the_page_says(tmp_path: Path) -> None:
    asked = [f"--only={task}:{kind}" for task, kind in _SAMPLE.items()]
    found = _words(_tried(tmp_path / "some.json", *asked, timeout_s=850))
    assert found == {pair: _words(verdicts.read()[1])[pair] for pair in _SAMPLE.items()}


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_all_are_as_the_page_says(tmp_path: Path) -> None:
    found = _words(_tried(tmp_path / "all.json", timeout_s=3 * 3600))
    assert found == _words(verdicts.read()[1])
