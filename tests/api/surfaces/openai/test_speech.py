"""Speech in the formats of OpenAI's clients."""

from __future__ import annotations

import importlib.util
import io
import wave

import httpx
import numpy as np
import pytest

from wherry.tasks.media.sound_formats import encoded

from ...conftest import Worker

av = pytest.importorskip("av")

#: Name -> what a file of it begins with, the type that is said, and the codec within.
FORMATS = {
    "aac": (b"\xff\xf1", "audio/aac", "aac"),
    "flac": (b"fLaC", "audio/flac", "flac"),
    "mp3": (b"", "audio/mpeg", "mp3float"),
    "opus": (b"OggS", "audio/ogg", "opus"),
}
BODY = {"model": "text-to-speech", "input": "hello"}


def tone(rate: int, channels: int = 1, seconds: float = 1.0) -> bytes:
    """A WAV file of 440 Hz."""
    samples = np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate) * 12_000
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(np.repeat(samples.astype("<i2"), channels).tobytes())
    return file.getvalue()


def heard(file: bytes) -> tuple[str, int, np.ndarray]:
    """A file's codec, rate and samples of its first channel."""
    with av.open(io.BytesIO(file)) as container:
        [stream] = container.streams.audio
        resampler = av.AudioResampler(format="fltp", layout=stream.layout.name, rate=stream.rate)
        frames = [f for frame in container.decode(stream) for f in resampler.resample(frame)]
        samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return stream.codec_context.name, stream.rate, samples


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (22_050, 1), (24_000, 2), (7_777, 1)])
def test_a_sound_is_the_same_in_every_format(name: str, rate: int, channels: int) -> None:
    file = encoded(tone(rate, channels), name)
    begin, _, codec = FORMATS[name]
    assert file.startswith(begin)
    found, at, samples = heard(file)
    assert found == codec
    assert at >= rate
    assert len(samples) / at == pytest.approx(1.0, abs=0.3)
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle))
    assert spectrum.argmax() * at / len(middle) == pytest.approx(440, abs=10)
    assert np.abs(middle).max() == pytest.approx(12_000 / 32_768, abs=0.1)


@pytest.mark.parametrize("name", FORMATS)
def test_speech_comes_in_the_format_that_is_asked_for(
    http: httpx.Client, serving: Worker, name: str
) -> None:
    answer = http.post("/v1/audio/speech", json={**BODY, "response_format": name})
    assert answer.status_code == 200, answer.text
    begin, media_type, _ = FORMATS[name]
    assert answer.headers["content-type"] == media_type
    assert answer.content.startswith(begin)


def test_without_pyav_it_is_refused_by_name(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    answer = http.post("/v1/audio/speech", json={**BODY, "response_format": "mp3"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "response_format"
    assert "pip install 'wherry[media]'" in answer.json()["error"]["message"]
