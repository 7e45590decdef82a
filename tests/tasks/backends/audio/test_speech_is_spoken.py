"""A trained voice: what hibari says is speech, and Whisper reads its words back."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hibari.voices import ASSETS
from numpy.typing import NDArray

from wherry.protocol.errors import RowError
from wherry.tasks.audio.automatic_speech_recognition import AutomaticSpeechRecognitionInput
from wherry.tasks.audio.text_to_speech import TextToSpeechInput, TextToSpeechOutput
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.locate import locate

from ....support.speech import words

RATE = 24_000
TEXTS = [
    "Ships sail.",
    "The weather is nice today.",
    "Please send the letter to my mother before the end of the week.",
]

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def voice() -> LocalTask:
    return create_task("onnxruntime", "text-to-speech", None, {"threads": 1})


def answers(voice: LocalTask, texts: list[str], **parameters: Any) -> TextToSpeechOutput:
    output = voice.process(TextToSpeechInput(texts=texts, **parameters))
    assert isinstance(output, TextToSpeechOutput)
    return output


def speak(voice: LocalTask, texts: list[str], **parameters: Any) -> list[Samples]:
    found = []
    for file in answers(voice, texts, **parameters).audio:
        samples, rate = soundfile.read(io.BytesIO(file), dtype="float32")
        assert rate == RATE
        assert samples.ndim == 1
        found.append(samples)
    return found


def test_files_are_wav_of_one_channel_and_16_bits(voice: LocalTask) -> None:
    output = answers(voice, TEXTS)
    assert output.sample_rates == [RATE] * 3
    for file in output.audio:
        told = soundfile.info(io.BytesIO(file))
        assert (told.format, told.subtype) == ("WAV", "PCM_16")
        assert (told.channels, told.samplerate) == (1, RATE)


def test_texts_last_as_long_as_people_take(voice: LocalTask) -> None:
    spoken = speak(voice, TEXTS)
    assert all(len(shorter) < len(longer) for shorter, longer in pairwise(spoken))
    for samples, text in zip(spoken[1:], TEXTS[1:], strict=True):
        assert 1.5 < len(words(text)) / (len(samples) / RATE) < 4.5  # words a second


def test_speech_is_neither_silent_nor_clipped(voice: LocalTask) -> None:
    for samples in speak(voice, TEXTS):
        assert 0.02 < np.sqrt(np.mean(samples**2)) < 0.3
        assert np.abs(samples).max() < 1
        # Voices sound below 5 kHz; noise would have more than half of its power above.
        power = np.abs(np.fft.rfft(samples)) ** 2
        assert power[: len(power) * 5 // 12].sum() > 0.9 * power.sum()


def test_whisper_reads_the_words_back(
    voice: LocalTask, packaged_model: Callable[[str], Path]
) -> None:
    listener = create_task(
        "transformers", "automatic-speech-recognition", str(packaged_model("whisper-tiny.en"))
    )
    said = answers(voice, TEXTS[1:]).audio
    heard: Any = listener.process(AutomaticSpeechRecognitionInput(audio=said))
    assert [words(text) for text in heard.texts] == [words(text) for text in TEXTS[1:]]


def test_speed_and_seed(voice: LocalTask) -> None:
    text = TEXTS[1:2]
    plain, slow, fast = (speak(voice, text, speed=s)[0] for s in (None, 0.5, 2))
    assert len(slow) / len(plain) == pytest.approx(2, rel=0.1)
    assert len(fast) / len(plain) == pytest.approx(0.5, rel=0.1)
    (other,) = speak(voice, text, seed=1)
    assert len(other) == len(plain)
    assert 0 < np.abs(other - plain).max() < 0.1  # another breath, the same words


def test_what_cannot_be_said_fails_alone(voice: LocalTask) -> None:
    bad = ["", " \n", "...!", "{}", "你好", "[x](/你/)", "1" * 40]
    rows = TextToSpeechInput(texts=[TEXTS[0], *bad, TEXTS[1]]).rows()
    nobody = TextToSpeechInput(texts=[TEXTS[0]], speaker=1)
    first, *errors, last = voice.backend.run([*rows[:-1], nobody, rows[-1]])
    assert [type(error) for error in errors] == [RowError] * 8
    assert "cannot be read" in str(errors[-2])
    assert "speaker 1" in str(errors[-1])
    assert [first, last] == voice.backend.run(TextToSpeechInput(texts=TEXTS[:2]).rows())


def test_symbols_among_words_do_no_harm(voice: LocalTask) -> None:
    (plain,), (odd,) = (speak(voice, [text]) for text in ("Ships sail.", "Ships 你 sail. {}"))
    assert len(plain) == pytest.approx(len(odd), rel=0.3)


def test_no_run_of_the_graph_takes_more_than_a_sentence(
    voice: LocalTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []

    class Counting:
        def run(self, names: object, feed: dict[str, Any]) -> list[Samples]:
            lengths.append(feed["ids"].shape[1])
            return [np.zeros((1, 601, 8), np.float32)] * 5 + [np.zeros((1, 8), np.float32)]

    monkeypatch.setattr(voice.backend.voice._speaker, "sess", Counting())  # type: ignore[attr-defined] # of Voices
    (samples,) = speak(voice, ["the boat sails along " * 50])  # no comma, no full stop
    assert len(samples) == len(lengths) * 8 * 300
    assert max(lengths) <= 402  # 400 phonemes between two pauses
    assert sum(lengths) > 900  # and none is lost


def test_long_words_are_broken(voice: LocalTask) -> None:
    # A word's reading takes time with its length cubed.
    assert answers(voice, ["aB" * 60]) == answers(voice, [f"{'aB' * 25} {'aB' * 25} {'aB' * 10}"])


def test_threads_are_bounded(voice: LocalTask) -> None:
    with create_task("onnxruntime", "text-to-speech", None, {"threads": 2}) as two:
        for task, threads in ((voice, 1), (two, 2)):
            options = task.backend.voice._speaker.sess.get_session_options()  # type: ignore[attr-defined] # of Voices
            assert options.intra_op_num_threads == threads


def test_a_voice_comes_from_a_folder_too(voice: LocalTask, tmp_path: Path) -> None:
    own = create_task("onnxruntime", "text-to-speech", locate("package:hibari/assets", tmp_path))
    assert answers(own, TEXTS[:1]) == answers(voice, TEXTS[:1])
    # A British voice reads by British rules, whatever the graph.
    shutil.copy(Path(ASSETS, "hibari.onnx"), tmp_path / "bf_emma.int8.onnx")
    british = create_task("onnxruntime", "text-to-speech", str(tmp_path))
    dance = ["They dance after the bath."]
    assert answers(british, dance) != answers(voice, dance)


def test_a_folder_without_a_voice_is_refused(tmp_path: Path) -> None:
    for source in (str(tmp_path), "some/hub-id"):
        with pytest.raises((ModelRefused, ValueError), match="hibari"):
            create_task("onnxruntime", "text-to-speech", source)


def test_without_hibari_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("voices", "text_to_speech"):
        monkeypatch.delitem(sys.modules, f"wherry.tasks.backends.onnx.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "hibari", None)
    with pytest.raises(ModuleNotFoundError, match=r"wherry\[speech\]"):
        create_task("onnxruntime", "text-to-speech")
