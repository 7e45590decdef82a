from __future__ import annotations

import numpy as np
import pytest
import soxr

from wherry.protocol.errors import RowError
from wherry.tasks.backends.sound import waveform
from wherry.tasks.backends.sound.waveform import decode

from ....support import sounds

TONE = sounds.tone(1, 440, 44100)


def decoded(data: bytes, sample_rate: int | None = None, *, rate: int = 44100) -> waveform.Samples:
    return decode(data, sample_rate, rate=rate, max_seconds=10)


def test_raw_samples_come_as_they_are() -> None:
    assert decoded(TONE.astype("<f4").tobytes(), 44100).tolist() == TONE.tolist()


def test_a_file_says_its_own_rate() -> None:
    assert decoded(sounds.file(TONE, 44100)).tolist() == TONE.tolist()
    assert decoded(sounds.file(TONE, 44100), 8000).tolist() == TONE.tolist()


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64", "RF64"])
def test_containers(kind: str) -> None:
    samples = decoded(sounds.file(TONE, 44100, kind))
    assert len(samples) == pytest.approx(len(TONE), abs=3000)
    # As loud as before: packed ones are not the same, sample by sample.
    assert samples.std() == pytest.approx(TONE.std(), rel=0.1)


def test_channels_are_averaged() -> None:
    stereo = np.stack([TONE, 0 * TONE], axis=1)
    assert decoded(sounds.file(stereo, 44100)) == pytest.approx(TONE / 2, abs=1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_resampled_in_blocks_as_in_one(rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waveform, "_BLOCK", 1000)
    samples = decoded(sounds.file(TONE, 44100), rate=rate)
    assert samples == pytest.approx(soxr.resample(TONE, 44100, rate), abs=1e-6)


def test_short_frames_are_looked_at_and_resampled_together() -> None:
    frames = [np.full((1024, 2), [number, 3 * number], np.float32) for number in range(100)]
    blocks = list(waveform._within(iter(frames), 44100, 10))
    assert [len(block) for block in blocks] == [65536, 100 * 1024 - 65536]
    assert np.concatenate(blocks).tolist() == np.repeat(np.arange(100) * 2.0, 1024).tolist()


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_mean_of_channels_is_numpys(channels: int) -> None:
    block = np.random.default_rng(0).normal(size=(1000, channels)).astype(np.float32)
    [mono] = waveform._within(iter([block]), 44100, 10)
    assert mono.tolist() == block.mean(axis=1, dtype=np.float32).tolist()


def test_raw_samples_need_their_rate() -> None:
    with pytest.raises(RowError, match="parameter sample_rate"):
        decoded(TONE.tobytes())


def refused(data: bytes, sample_rate: int | None = None) -> str:
    with pytest.raises(RowError) as caught:
        decoded(data, sample_rate)
    return caught.value.message


def test_what_is_no_sound_is_refused() -> None:
    whole = sounds.file(TONE, 44100, "FLAC")
    assert refused(b"") == "the sound is empty"
    assert refused(sounds.file(TONE[:0], 44100)) == "the sound is empty"
    assert "4 bytes" in refused(b"12345", 16000)
    assert "cannot be read" in refused(b"RIFF" + bytes(100))
    assert "cannot be read" in refused(b"ID3" + bytes(100))
    assert "cannot be read" in refused(whole[: len(whole) // 2])
    assert "samples per second" in refused(sounds.file(TONE, 100))


@pytest.mark.parametrize("kind", ["WAV", "MP3", "AIFF", "AU", "CAF", "W64", "RF64"])
def test_what_is_cut_off_is_heard_as_far_as_it_goes(kind: str) -> None:
    whole = sounds.file(TONE, 44100, kind)
    assert 0.2 < len(decoded(whole[: len(whole) // 2])) / len(TONE) < 0.8


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e20])
def test_values_that_no_sound_has(value: float) -> None:
    bad = TONE.copy()
    bad[-1] = value
    assert "finite" in refused(bad.tobytes(), 44100)
    assert "finite" in refused(sounds.file(bad, 44100))


def test_samples_of_16_bits_are_not_taken_for_floats() -> None:
    assert "32-bit" in refused((TONE * 32767).astype("<i2").tobytes(), 44100)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3"])
def test_the_longest_that_is_read(kind: str) -> None:
    data = sounds.file(TONE, 44100, kind)
    assert len(decode(data, None, rate=8000, max_seconds=1.1)) > 7000
    with pytest.raises(RowError, match=r"over 0\.9 seconds"):
        decode(data, None, rate=8000, max_seconds=0.9)
    with pytest.raises(RowError, match=r"over 0\.9 seconds"):
        decode(TONE.tobytes(), 44100, rate=8000, max_seconds=0.9)


def test_a_header_that_lies_about_the_length_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check, asked = waveform._check_length, []

    def fooled(frames: int, rate: int, max_seconds: float) -> None:
        asked.append(frames)
        if len(asked) > 1:  # the first is what the header says
            check(frames, rate, max_seconds)

    monkeypatch.setattr(waveform, "_check_length", fooled)
    with pytest.raises(RowError, match=r"over 0\.9 seconds"):
        decode(sounds.file(TONE, 44100), None, rate=44100, max_seconds=0.9)
