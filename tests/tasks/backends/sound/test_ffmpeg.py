"""Sounds that soundfile does not read, against the samples from which they were made."""

from __future__ import annotations

import io
import sys
from typing import Any

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from wherry.protocol.errors import RowError
from wherry.tasks.audio.headers import is_file, milliseconds
from wherry.tasks.backends.sound.waveform import decode
from wherry.tasks.media.containers import container

from ....support import media

RATE = 48_000


def tone(rate: int = RATE, pitch_hz: float = 440) -> NDArray[np.float32]:
    t = np.arange(rate) / rate
    return (0.5 * np.sin(2 * np.pi * pitch_hz * t) * np.linspace(0.2, 1, rate)).astype(np.float32)


#: kind -> format, codec, how far its samples may be off (root mean square), how many come before.
KINDS: dict[str, tuple[str, str, float, int]] = {
    "M4A": ("ipod", "aac", 0.01, 0),
    "M4A, lossless": ("ipod", "alac", 1e-4, 0),
    "MP4": ("mp4", "aac", 0.01, 0),
    "MOV": ("mov", "aac", 0.01, 0),
    "3GP": ("3gp", "aac", 0.01, 0),
    "CAF, lossless": ("caf", "alac", 1e-4, 0),
    "WebM": ("webm", "libopus", 0.01, 0),
    "Matroska": ("matroska", "aac", 0.01, 0),
    "WMA": ("asf", "wmav2", 0.01, -2048),
    "AAC": ("adts", "aac", 0.01, 1024),
    "AC-3": ("ac3", "ac3", 0.01, 256),
    "Ogg FLAC": ("ogg", "flac", 1e-4, 0),
    "WavPack": ("wv", "wavpack", 5e-3, 0),
    "AVI": ("avi", "mp2", 0.01, 481),
    "MPEG": ("mpeg", "mp2", 0.01, 481),
    "MPEG transport stream": ("mpegts", "aac", 0.01, 1024),
    "FLV": ("flv", "aac", 0.01, 1024),
}

#: Raw samples may begin so, too: with a rate beside them they are taken for such.
BY_THE_LACK_OF_A_RATE = {"AAC", "AC-3", "MPEG", "MPEG transport stream", "FLV"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_heard_as_it_was_played(kind: str) -> None:
    form, codec, off, late = KINDS[kind]
    file = media.sound(tone(), form, codec)
    heard = decode(file, None, rate=RATE, max_seconds=2)
    assert min(late, 0) <= len(heard) - RATE <= 3000
    wrong = heard[max(late, 0) :][:40_000] - tone()[max(-late, 0) :][:40_000]
    assert np.sqrt(np.mean(wrong**2)) < off
    assert is_file(file) == (kind not in BY_THE_LACK_OF_A_RATE)
    assert milliseconds(file, None) <= 60_000


@pytest.mark.parametrize("samples", [4096, 4097, 10_000, 12_287])
def test_the_end_of_a_lossless_sound_is_heard(samples: int) -> None:
    """FFmpeg's frames of ALAC have 4,096 samples; the last one of a file has what is left."""
    played = tone()[:samples]
    for form in ("caf", "ipod"):
        heard = decode(media.sound(played, form, "alac"), None, rate=RATE, max_seconds=2)
        assert len(heard) == samples
        assert heard == pytest.approx(played, abs=1e-4)


@pytest.mark.parametrize("form", ["amr", "3gp"])
def test_a_phones_speech_is_heard(form: str) -> None:
    """AMR knows speech alone: what comes back of a tone is near it, not it."""
    played = tone(8000)
    file = media.sound(played, form, "libopencore_amrnb", rate=8000)
    heard = decode(file, None, rate=8000, max_seconds=2)
    assert 8000 <= len(heard) <= 8400
    likeness = max(np.corrcoef(heard[late:][:6000], played[:6000])[0, 1] for late in range(400))
    assert likeness > 0.95


def test_a_live_recording_that_says_no_length_is_heard() -> None:
    for form, options in (
        ("mp4", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
        ("webm", {"live": "1"}),
    ):
        codec = "aac" if form == "mp4" else "libopus"
        file = media.sound(tone(), form, codec, options=options)
        assert len(decode(file, None, rate=16_000, max_seconds=2)) == pytest.approx(16_000, abs=800)


def test_channels_are_averaged() -> None:
    stereo = np.stack([tone(), 0 * tone()], axis=1)
    heard = decode(media.sound(stereo, "ipod", "alac"), None, rate=RATE, max_seconds=2)
    assert heard == pytest.approx(tone() / 2, abs=1e-4)


@pytest.mark.parametrize("layout", ["5.1", "7.1", "hexadecagonal"])
def test_any_number_of_channels_is_averaged(layout: str) -> None:
    with av.open(file := io.BytesIO(), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout=layout)
        assert isinstance(stream, AudioStream)
        count = stream.layout.nb_channels
        first = np.zeros((RATE, count), np.int16)
        first[:, 0] = np.rint(32767 * tone())
        frame = av.AudioFrame.from_ndarray(first.reshape(1, -1), "s16", layout)
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    heard = decode(file.getvalue(), None, rate=RATE, max_seconds=2)
    assert heard == pytest.approx(tone() / count, abs=1e-4)


def test_a_codec_that_is_not_read_is_said_so() -> None:
    file = media.sound(tone(), "webm", "libopus")
    assert refused(file.replace(b"A_OPUS", b"A_OPUX")) == (
        "the sound is of a codec that is not read"
    )


def test_the_sound_of_a_film_is_heard() -> None:
    pictures = [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(10)]
    film = media.film(pictures, samples=tone())
    heard = decode(film, None, rate=RATE, max_seconds=2)
    assert np.sqrt(np.mean((heard[:40_000] - tone()[:40_000]) ** 2)) < 0.01
    with pytest.raises(RowError, match="the file has no sound"):
        decode(media.film(pictures), None, rate=RATE, max_seconds=2)


def refused(data: bytes, max_seconds: float = 10) -> str:
    with pytest.raises(RowError) as caught:
        decode(data, None, rate=RATE, max_seconds=max_seconds)
    return caught.value.message


def test_what_cannot_be_heard_is_refused() -> None:
    file = media.sound(tone(), "ipod", "aac")
    assert refused(file, 0.5) == "the sound lasts over 0.5 seconds, which are allowed"
    assert refused(file[:40]) == "the sound cannot be read (InvalidDataError)"
    broken = bytearray(media.sound(tone(), "webm", "libopus"))
    broken[500:] = bytes(len(broken) - 500)
    assert "cut off: 0.0 of its 1.0 seconds" in refused(bytes(broken))
    assert refused(file[: len(file) // 2]).startswith("the sound cannot be read")


def test_a_playlist_is_no_sound(tmp_path: Any) -> None:
    """FFmpeg itself would open what it names."""
    (tmp_path / "named.wav").write_bytes(b"")
    playlist = f"#EXTM3U\n#EXTINF:1,\n{tmp_path / 'named.wav'}\n#EXT-X-ENDLIST\n"
    assert refused(playlist.encode()).startswith("not a sound file of a known format (WAV, FLAC, ")


def test_without_the_extra_the_refusal_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    file = media.sound(tone(), "ipod", "aac")
    for module in ("sound.ffmpeg", "ffmpeg"):
        monkeypatch.delitem(sys.modules, f"wherry.tasks.backends.{module}", raising=False)
    monkeypatch.delattr("wherry.tasks.backends.sound.ffmpeg", raising=False)
    monkeypatch.setitem(sys.modules, "av", None)
    assert refused(file) == (
        "MP4, M4A, MOV or 3GP is read with the extra media (pip install 'wherry[media]'); "
        "without it: WAV, FLAC, MP3, Ogg, AIFF, AU, CAF, W64"
    )


def test_raw_samples_are_never_taken_for_a_file() -> None:
    raw = np.frombuffer(media.sound(tone(), "adts", "aac")[:400], "<f4").tobytes()
    assert container(raw) is not None
    assert container(raw, 16_000) is None


def test_a_guess_refuses_nothing() -> None:
    tag = b"ID3\x04\x00\x00" + bytes([0, 127, 127, 127])  # of 2 MB, such as a cover
    assert milliseconds(tag + bytes(2**21 - 1) + bytes(16_000), None) == 1000
    assert milliseconds(b"\0\0\0\x18ftypisom" + bytes(10**7), None) == 60_000
    assert milliseconds(b"FORM" + bytes(10**8), None) == 60_000
