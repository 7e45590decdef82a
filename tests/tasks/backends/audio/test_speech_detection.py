"""silero-vad: what hibari says is speech, noise and music are not; against Silero's own loop."""

from __future__ import annotations

import functools
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from silero_vad.utils_vad import OnnxWrapper

from wherry.protocol.errors import RowError
from wherry.tasks.audio.audio_classification import AudioClassificationInput
from wherry.tasks.backends.sound.waveform import decode
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.locate import locate

from ....support import sounds, speech

SOURCE = locate("package:silero_vad/data", Path())
TOLERANCE = 1e-5

Samples = NDArray[np.float32]


@functools.cache
def voice() -> speech.Voice:
    return speech.Voice()


@functools.cache
def spoken(text: str) -> Samples:
    return voice().say(text)


def noise(seconds: float, loud: float) -> Samples:
    values = np.random.default_rng(0).standard_normal(round(seconds * sounds.RATE))
    return (loud * values).astype(np.float32)


def chord(seconds: float) -> Samples:
    t = np.arange(round(seconds * sounds.RATE)) / sounds.RATE
    tones = [np.sin(2 * np.pi * pitch_hz * t) for pitch_hz in (261.6, 329.6, 392.0)]
    return np.asarray(0.2 * np.sum(tones, axis=0), np.float32)


@pytest.fixture(scope="module")
def detector() -> LocalTask:
    return create_task("onnxruntime", "audio-classification", SOURCE, {"threads": 1})


def heard(task: LocalTask, files: list[bytes], sample_rate: int | None = None) -> list[float]:
    """How much each sound is speech."""
    output: Any = task.process(AudioClassificationInput(audio=files, sample_rate=sample_rate))
    found = []
    for row in output.results:
        scores = {result.label: result.score for result in row}
        assert scores.keys() == {"speech", "no_speech"}
        assert sum(scores.values()) == pytest.approx(1)
        assert row[0].score >= row[1].score
        found.append(scores["speech"])
    return found


@functools.cache
def of_all_kinds() -> list[bytes]:
    """Sounds of many lengths, two of them alike: speech and others in turn."""
    hello, weather = spoken("Hello."), spoken("The weather is nice today.")
    rest = np.zeros(4 * speech.RATE, np.float32)
    return [
        sounds.file(weather, speech.RATE),
        sounds.file(np.zeros(3 * sounds.RATE, np.float32)),
        sounds.file(hello, speech.RATE),
        sounds.file(noise(3, 0.1)),
        sounds.file(np.concatenate([rest, hello, rest]), speech.RATE),
        sounds.file(chord(2.5)),
    ]


def test_speech_is_told_from_what_is_none(detector: LocalTask) -> None:
    for number, score in enumerate(heard(detector, of_all_kinds())):
        assert score < 0.1 if number % 2 else score > 0.9


@pytest.mark.parametrize("loud", [0.001, 0.5])
def test_noise_is_no_speech_however_loud(loud: float, detector: LocalTask) -> None:
    files = [sounds.file(noise(2, loud)), sounds.file(sounds.tone(2, 440))]
    assert max(heard(detector, files)) < 0.1


def test_speech_is_heard_in_noise_and_at_every_rate(detector: LocalTask) -> None:
    weather = spoken("The weather is nice today.")
    steps = np.random.default_rng(0).standard_normal(len(weather))
    noisy = (weather + 0.01 * steps).astype(np.float32)
    slow = weather[::3]  # 8 kHz
    assert min(heard(detector, [noisy.tobytes(), weather.tobytes()], speech.RATE)) > 0.9
    assert heard(detector, [slow.tobytes()], 8_000)[0] > 0.9


def silero(file: bytes) -> float:
    """Chunk by chunk as Silero's own loop does, then the best quarter of a second."""
    samples = torch.from_numpy(decode(file, None, rate=sounds.RATE, max_seconds=60))
    own = OnnxWrapper(str(Path(SOURCE, "silero_vad.onnx")), force_onnx_cpu=True)
    chances = own.audio_forward(samples, sr=sounds.RATE)[0].numpy()
    return max(float(chances[i : i + 8].mean()) for i in range(max(1, len(chances) - 7)))


def test_a_batch_answers_as_sileros_own_loop(detector: LocalTask) -> None:
    together = heard(detector, of_all_kinds())
    assert together == pytest.approx([silero(file) for file in of_all_kinds()], abs=TOLERANCE)
    assert len({round(score, 4) for score in together}) > 4  # rows do differ


def test_a_row_answers_the_same_in_any_company(detector: LocalTask) -> None:
    files = of_all_kinds() * 4  # more than one run takes
    alone = [score for file in of_all_kinds() for score in heard(detector, [file])]
    assert heard(detector, files) == pytest.approx(alone * 4, abs=TOLERANCE)


def test_a_run_holds_only_the_rows_that_last(
    detector: LocalTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = detector.backend.graph  # type: ignore[attr-defined] # a DialectBackend
    rows: list[int] = []
    run = graph.run

    def noted(arrays: Any) -> Any:
        rows.append(len(arrays["input"]))
        return run(arrays)

    monkeypatch.setattr(graph, "run", noted)
    raw = [np.zeros(n, np.float32).tobytes() for n in (513, 512, 2048)]
    heard(detector, raw, sounds.RATE)
    assert rows == [3, 2, 1, 1]


@pytest.mark.parametrize(
    ("graph", "tolerance"),
    [
        ("silero_vad_half", 0.2),  # half precision; without sr
        ("silero_vad_openvino_16k", 1e-4),  # its batch is fixed at 1
        ("silero_vad_op18_ifless", 1e-4),  # one for both rates, without branches
    ],
)
def test_other_files_of_the_package_answer_alike(
    graph: str, tolerance: float, detector: LocalTask, tmp_path: Path
) -> None:
    shutil.copy(Path(SOURCE, f"{graph}.onnx"), tmp_path / "model.onnx")
    other = create_task("onnxruntime", "audio-classification", str(tmp_path))
    files = of_all_kinds()
    assert heard(other, files) == pytest.approx(heard(detector, files), abs=tolerance)


def test_a_bad_row_fails_alone(detector: LocalTask) -> None:
    good = [noise(1, 0.1).tobytes(), chord(0.4).tobytes()]
    bad = [b"", b"RIFFjunk", b"12345", np.full(900, np.nan, np.float32).tobytes()]
    long = np.zeros(301 * sounds.RATE, np.float32).tobytes()
    rows = AudioClassificationInput(audio=[good[0], *bad, long, good[1]], sample_rate=16_000).rows()
    first, *errors, last = detector.backend.run(rows)
    assert [type(error) for error in errors] == [RowError] * 5
    alone = detector.backend.run(AudioClassificationInput(audio=good, sample_rate=16_000).rows())
    assert [first, last] == alone
    (nothing,) = detector.backend.run(rows[1:2])
    assert isinstance(nothing, RowError)


def test_a_single_sample_is_silence(detector: LocalTask) -> None:
    assert heard(detector, [np.ones(1, np.float32).tobytes()], 16_000)[0] < 0.1


def test_top_k(detector: LocalTask) -> None:
    (file, *_) = of_all_kinds()
    output: Any = detector.process(AudioClassificationInput(audio=[file], top_k=1))
    assert [result.label for result in output.results[0]] == ["speech"]


class Fourth(torch.nn.Module):
    """What version 4 takes and gives: louder chunks are likelier, and what was heard lingers."""

    def forward(
        self, heard: torch.Tensor, sr: torch.Tensor, h: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        loud = heard.abs().mean(dim=1)
        hn, cn = 0.5 * h + loud[:, None], 0.9 * c + loud[:, None] * (sr / 16_000)
        return torch.sigmoid(hn.mean(dim=(0, 2)) + cn.mean(dim=(0, 2)) - 1)[:, None], hn, cn


def test_version_4_hands_on_two_states_and_no_context(tmp_path: Path) -> None:
    state, sr = torch.zeros(2, 2, 64), torch.tensor(16_000)
    names = ("input", "sr", "h", "c"), ("output", "hn", "cn")
    free = {"input": {0: "batch", 1: "chunk"}, "output": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Fourth().eval(),
            (torch.zeros(2, 512), sr, state, state),
            str(tmp_path / "silero_vad.onnx"),
            input_names=[*names[0]],
            output_names=[*names[1]],
            dynamic_axes={**free, **{name: {1: "batch"} for name in ("h", "c", "hn", "cn")}},
            dynamo=False,
        )
    tones = sounds.tones()
    with create_task("onnxruntime", "audio-classification", str(tmp_path)) as task:
        together = heard(task, [tone.tobytes() for tone in tones], sounds.RATE)
    for found, tone in zip(together, tones, strict=True):
        chances, own = [], [torch.zeros(2, 1, 64)] * 2
        for chunk in torch.from_numpy(tone).split(512):
            padded = torch.nn.functional.pad(chunk, (0, 512 - len(chunk)))
            chance, *own = Fourth()(padded[None], sr, *own)
            chances.append(float(chance))
        mean = np.convolve(chances, np.full(8, 1 / 8), "valid").max()
        assert found == pytest.approx(mean, abs=TOLERANCE)
    assert len({round(score, 2) for score in together}) > 2
