"""What the audio tasks declare beyond what every task does."""

from __future__ import annotations

import struct
import sys

import pytest

from wherry.protocol.errors import InvalidRequest
from wherry.tasks.audio.audio_classification import AudioClassificationInput
from wherry.tasks.audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
    SpeechChunk,
)
from wherry.tasks.audio.headers import is_file, milliseconds
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device
from wherry.tasks.registry import get_task

from ..support import sounds

SECOND = sounds.tone(1, 440)


def test_a_task_of_the_seeds_library_goes_as_it_came() -> None:
    sent = AutomaticSpeechRecognitionInput(audio=[SECOND.tobytes()], sample_rate=16000)
    request = sent.to_inference_request()
    assert [tensor.name for tensor in request.inputs] == ["audio"]
    assert request.parameters == {"sample_rate": 16000, "return_timestamps": False}
    assert AutomaticSpeechRecognitionInput.from_inference_request(request) == sent


def test_a_rate_that_no_sound_has_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="sample_rate"):
        AudioClassificationInput.validated({"audio": [b"1234"], "sample_rate": 1})


def test_chunks_are_answered_only_when_asked_for() -> None:
    chunk = SpeechChunk(text=" ahoy", start=0.5, end=0.75)
    output = AutomaticSpeechRecognitionOutput
    plain = output(texts=[" ahoy"], chunks=[None])
    assert [t.name for t in plain.to_inference_response("m").outputs] == ["text"]
    assert output.from_inference_response(plain.to_inference_response("m")) == plain
    silent = output(texts=[""], chunks=[[]])
    assert output.from_inference_response(silent.to_inference_response("m")) == silent
    ragged = output(texts=[" ahoy", ""], chunks=[[chunk, chunk], []])
    assert output.from_inference_response(ragged.to_inference_response("m")) == ragged
    known = ragged.model_copy(update={"durations": [2.5, None], "languages": [None, "english"]})
    assert output.from_inference_response(known.to_inference_response("m")) == known


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "AIFF", "AU", "CAF"])
def test_files_are_known_by_their_first_bytes(kind: str) -> None:
    assert is_file(sounds.file(SECOND, kind=kind))
    assert not is_file(SECOND.tobytes())


def test_how_long_a_sound_lasts_is_told_without_decoding() -> None:
    long = sounds.tone(3, 440, 44100)
    assert milliseconds(SECOND.tobytes(), 16000) == 1000
    assert milliseconds(sounds.file(long, 44100), None) == pytest.approx(3000, abs=2)
    # A file says its own rate, whatever the parameter says.
    assert milliseconds(sounds.file(long, 44100), 8000) == pytest.approx(3000, abs=2)
    assert milliseconds(sounds.file(long, 44100, "FLAC"), None) == 3000
    # Others are guessed by their size.
    assert 1000 < milliseconds(sounds.file(long, 44100, "OGG"), None) < 9000
    assert 500 < milliseconds(sounds.file(long, 44100, "AIFF"), None) < 9000


def test_headers_that_lie_break_nothing() -> None:
    head = b"RIFF\0\0\0\0WAVEfmt "
    for data in (b"", b"RIFF", head, head + bytes(20), b"fLaC", b"fLaC" + bytes(30)):
        assert milliseconds(data, None) >= 0
    endless = head + struct.pack("<IHHII", 16, 1, 1, 1, 1) + bytes(10_000)
    assert milliseconds(endless, None) > get_task("audio-classification").max_row_cost


def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("base", "audio_classification", "text_to_speech"):
        name = f"wherry.tasks.backends.transformers.audio.{module}"
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delitem(sys.modules, "wherry.tasks.backends.sound.waveform", raising=False)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    for name in ("audio-classification", "text-to-speech"):
        with pytest.raises(ModuleNotFoundError, match=r"soundfile: pip install 'wherry\[audio\]'"):
            create_backend("transformers", name, None, device=Device())
