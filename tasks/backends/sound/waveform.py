"""Sounds to samples, one channel of float32 at the rate that the model wants; and back."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...audio.headers import is_file, rare_codec
from ...audio.sounds import MAX_RATE, MIN_RATE
from ...media.containers import Container, container

Samples = NDArray[np.float32]

#: What people send. libsndfile reads more, formats of old samplers that few ever tested.
FORMATS = frozenset({"AIFF", "AU", "CAF", "FLAC", "MP3", "OGG", "RF64", "W64", "WAV", "WAVEX"})

#: The same for people.
READ = "WAV, FLAC, MP3, Ogg, AIFF, AU, CAF, W64"

#: Samples decoded at a time, of all channels: a small file may unpack to gigabytes of silence.
_BLOCK = 1 << 18

#: Samples worth a call: frames of AAC have 1024, and to check and resample each took four times
#: what decoding takes.
_WORTH = 1 << 16

#: Loudest sample; 1 is full scale. Whoever sends 16-bit samples as floats is far above, or NaN.
_LOUDEST = 65536.0


def decode(data: bytes, sample_rate: int | None, *, rate: int, max_seconds: float) -> Samples:
    """The mean of a sound's channels at `rate`, (samples,).

    Raises RowError for a sound that is empty, broken, longer than `max_seconds`, or not finite; and
    for raw samples without `sample_rate`.
    """
    if not data:
        raise RowError("the sound is empty")
    if kind := container(data, sample_rate):
        return _of_container(data, kind, rate, max_seconds)
    if is_file(data) or (sample_rate is None and _is_mpeg(data)):
        return _of_file(data, rate, max_seconds)
    if sample_rate is None:
        raise RowError(
            f"not a sound file of a known format ({READ}, or what the extra media reads); "
            "for raw float32 samples say their rate: parameter sample_rate"
        )
    if len(data) % 4:
        raise RowError(f"raw samples take 4 bytes each, little-endian float32; got {len(data)}")
    samples = np.frombuffer(data, "<f4").astype(np.float32, copy=False)
    _check_length(len(samples), sample_rate, max_seconds)
    return _resampled(iter([samples]), sample_rate, rate)


def noises(rate: int) -> list[Samples]:
    """Noise of three lengths to try a model with: a usual one, a longer and a shorter one."""
    noise = np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)
    return [noise[: int(seconds * rate)] for seconds in (0.5, 0.8, 0.3)]


def wav(samples: Samples, rate: int) -> bytes:
    """A WAV file of 16 bits. samples: (n,) or (n, channels), `rate` a second, cut to -1 to 1."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _is_mpeg(data: bytes) -> bool:
    """Whether it begins with the eleven ones of an MP3 frame, as one in 2000 raw sounds may."""
    return len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0


def _of_file(data: bytes, rate: int, max_seconds: float) -> Samples:
    try:
        file = soundfile.SoundFile(io.BytesIO(data))
    except Exception as error:
        if kind := rare_codec(data):
            return _of_container(data, kind, rate, max_seconds)
        raise _unreadable(error) from None
    with file:
        if file.format not in FORMATS:
            raise RowError(f"sound files of format {file.format} are not read")
        if not MIN_RATE <= file.samplerate <= MAX_RATE:
            raise RowError(f"the sound has {file.samplerate} samples per second")
        # The header may lie, or not know: what is read counts too.
        _check_length(file.frames, file.samplerate, max_seconds)
        blocks = _within(_blocks(file), file.samplerate, max_seconds)
        return _resampled(blocks, file.samplerate, rate)


def _unreadable(error: Exception) -> RowError:
    # libsndfile's errors name the file object; its texts are for programmers.
    return RowError(f"the sound cannot be read ({type(error).__name__})")


def _of_container(data: bytes, kind: Container, rate: int, max_seconds: float) -> Samples:
    """A sound that soundfile does not read."""
    try:
        from . import ffmpeg
    except ImportError:
        raise RowError(
            f"{kind.title} is read with the extra media (pip install 'wherry[media]'); "
            f"without it: {READ}"
        ) from None
    with ffmpeg.decoded(data, kind) as (found, blocks):
        return _resampled(_within(blocks, found, max_seconds), found, rate)


def _within(blocks: Iterator[Samples], rate: int, max_seconds: float) -> Iterator[Samples]:
    """The mean of the channels, in blocks of some length, as long as the sound is not too long."""
    read, waiting, parts = 0, 0, list[Samples]()
    for block in blocks:
        read += len(block)
        _check_length(read, rate, max_seconds)
        parts.append(_mono(block))
        waiting += len(block)
        if waiting >= _WORTH:
            yield np.concatenate(parts)
            waiting, parts = 0, []
    if parts:
        yield np.concatenate(parts)


def _mono(block: Samples) -> Samples:
    if block.shape[1] == 2:  # the same number, in a fifth of the time
        half: Samples = (block[:, 0] + block[:, 1]) * np.float32(0.5)
        return half
    mono: Samples = block.mean(axis=1, dtype=np.float32)
    return mono


def _blocks(file: soundfile.SoundFile) -> Iterator[Samples]:
    frames = max(1, _BLOCK // file.channels)
    try:
        while len(block := file.read(frames, dtype="float32", always_2d=True)):
            yield np.asarray(block, np.float32)
    except Exception as error:
        raise _unreadable(error) from None


def _resampled(blocks: Iterator[Samples], rate: int, wanted: int) -> Samples:
    """The blocks in one array. A stream of soxr gives what one call over all of them would."""
    stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32") if rate != wanted else None
    parts: list[Samples] = []
    for block in blocks:
        _check_values(block)
        parts.append(block if stream is None else stream.resample_chunk(block))
    if stream is not None:
        parts.append(stream.resample_chunk(np.empty(0, np.float32), last=True))
    samples = np.concatenate(parts) if parts else np.empty(0, np.float32)
    if not len(samples):
        raise RowError("the sound is empty")
    return samples


def _check_length(frames: int, rate: int, max_seconds: float) -> None:
    if frames > max_seconds * rate:
        raise RowError(f"the sound lasts over {max_seconds:g} seconds, which are allowed")


def _check_values(block: Samples) -> None:
    # NaN is the least and the greatest, and no number that is at most anything.
    least, most = block.min(initial=0), block.max(initial=0)
    if not (least >= -_LOUDEST and most <= _LOUDEST):
        raise RowError(
            "samples must be finite, near -1 to 1; raw ones are little-endian 32-bit floats"
        )
