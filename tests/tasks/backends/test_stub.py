from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wherry.protocol.errors import OutOfMemory, RowError
from wherry.tasks.audio.audio_classification import AudioClassificationInput
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import Backend
from wherry.tasks.backends.device import Device
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)


def stub(task: str = "embedding", **parameters: object) -> Backend:
    backend = create_backend("stub", task, None, device=Device(), **parameters)
    backend.load()
    return backend


def texts(*rows: str) -> list[EmbeddingInput]:
    return EmbeddingInput(texts=list(rows)).rows()


def test_other_bytes_other_answers() -> None:
    first, second = stub().run(texts("a", "b"))
    assert first != second


def test_top_k_is_honoured() -> None:
    (answer,) = stub("image-classification").run([ImageClassificationInput(images=[b"x"], top_k=3)])
    assert isinstance(answer, ImageClassificationOutput)
    scores = [result.score for result in answer.results[0]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def test_a_failing_row_takes_its_batch_along() -> None:
    backend = stub(raise_on="bad")
    with pytest.raises(RuntimeError):
        backend.run(texts("good", "bad"))
    assert backend.run(texts("good"))


def test_a_file_is_decoded_where_it_is_asked_to_and_answered_the_same() -> None:
    example = stub("image-classification").task.example.input.rows()
    broken = ImageClassificationInput(images=[b"no picture"])
    backend = stub("image-classification", decode=True)
    good, bad, again = backend.run([*example, broken, *example])
    assert [good] == [again] == stub("image-classification").run(example)
    assert isinstance(bad, RowError)
    assert stub(decode=True).run(texts("a")) == stub().run(texts("a"))
    [silent] = stub("audio-classification", decode=True).run(
        [AudioClassificationInput(audio=[b"x"])]
    )
    assert isinstance(silent, RowError)


def test_delays_are_spent_on_the_device() -> None:
    backend = stub(delay_s=0.01, delay_per_row_s=0.005)
    started = time.perf_counter()
    backend.run(texts("a", "b"))
    assert time.perf_counter() - started >= 0.02
    assert backend.device.busy_s >= 0.02


def test_a_forward_waits_while_it_is_held(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    backend = stub(hold=str(hold))
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(backend.run, texts("a"))
        with pytest.raises(TimeoutError):
            answers.result(0.05)
        hold.unlink()
        assert answers.result(10) == stub().run(texts("a"))


def test_a_crash_is_real() -> None:
    code = (
        "from wherry.tasks.create import create_task\n"
        "create_task('stub', 'embedding', None, {'crash_on': 'x'}).run(texts=['x'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -signal.SIGSEGV


def test_an_exit_for_want_of_memory_takes_each_row_once_where_that_is_kept(tmp_path: Path) -> None:
    code = (
        "from wherry.tasks.create import create_task\n"
        f"knobs = {{'exit_on': 'x', 'exit_once': {str(tmp_path)!r}}}\n"
        "create_task('stub', 'embedding', None, knobs).run(texts=['x'])\n"
    )
    ends = [subprocess.run([sys.executable, "-c", code], check=False).returncode for _ in range(2)]
    assert ends == [137, 0]


def test_a_small_device_runs_out_of_memory() -> None:
    small = stub(fits_rows=2)
    assert len(small.run(texts("a", "b"))) == 2
    with pytest.raises(OutOfMemory):
        small.run(texts("a", "b", "c"))
