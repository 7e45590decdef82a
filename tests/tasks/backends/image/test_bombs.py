"""Files that unpack to far more than they are: refused as a row's own fault, and cheaply."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from wherry.protocol.errors import RowError
from wherry.tasks.backends.sound import waveform
from wherry.tasks.media import decode
from wherry.tasks.samples import PNG
from wherry.tasks.vision.video_mask_generation import MAX_FRAMES, VideoMaskGenerationInput

_MIB = 2**20


class Peak:
    """What this process takes more of memory, at most, while it is open: `mib`."""

    mib = 0.0

    def __enter__(self) -> Peak:
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        self._before = self._read("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.mib = (self._read("VmHWM") - self._before) / 1024

    @staticmethod
    def _read(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def black_png(width: int, height: int, *, before: bytes = b"") -> bytes:
    """A PNG of one bit a pixel, with chunks of one's own in front of its pixels."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + before + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def icon(png: bytes) -> bytes:
    """An icon that says 16 x 16 and holds a PNG."""
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(png), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + png


@functools.cache
def large() -> bytes:
    return black_png(20_000, 20_000)


#: Made when they are tried: to build them all takes seconds of every process that collects tests.
PICTURES: dict[str, Callable[[], bytes]] = {
    "a picture in 50 KB of 400 million pixels": large,
    "an icon around it": lambda: icon(large()),
    "half a gigabyte of comment": lambda: black_png(
        1, 1, before=_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**29), 9))
    ),
    "a header alone": lambda: large()[:60],
    "a header alone, of 2 million squared": lambda: (
        large()[:16] + b"\0\x1f\0\0" * 2 + large()[24:60]
    ),
    "a GIF that is none": lambda: b"GIF89a" + b"\xff" * 100,
    "a BMP of minus one": lambda: b"BM" + bytes(12) + struct.pack("<Iii", 40, -1, -1) + bytes(28),
    "a TIFF that points at itself": lambda: (
        b"II*\0\x08\0\0\0" + b"\xff\xff" + bytes(10) + b"\x08\0\0\0"
    ),
    "a sound": lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(100),
    "text": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>",
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_swells_is_refused_cheaply(name: str) -> None:
    picture = PICTURES[name]()
    with Peak() as peak, pytest.raises(RowError):
        decode.decode(picture)
    assert peak.mib < 100


def wav(seconds_said: int, *, rate: int = 16_000, channels: int = 1, data: bytes = b"") -> bytes:
    size = min(seconds_said * rate * 2 * channels, 2**32 - 100)
    frame = 2 * channels % 2**16
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels % 2**32, frame, 16)
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", size + 36) + head + data


def silence(form: str, subtype: str | None, seconds: int, *, rate: int = 8_000) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, 1, format=form, subtype=subtype) as out:
        for _ in range(seconds // 100):
            out.write(np.zeros(100 * rate, np.float32))
    return file.getvalue()


def claiming_hours(flac: bytes) -> bytes:
    """A FLAC whose header counts 2^36 - 1 samples."""
    return flac[:21] + bytes([flac[21] | 0x0F]) + b"\xff" * 4 + flac[26:]


@functools.cache
def flac() -> bytes:
    return silence("FLAC", None, 2000)


SOUNDS: dict[str, Callable[[], bytes]] = {
    "two thousand seconds of silence, FLAC": flac,
    "the same, Ogg": lambda: silence("OGG", "OPUS", 2000),
    "a FLAC of a day that holds a second": lambda: claiming_hours(flac()[:200]),
    "a WAV of a day that holds nothing": lambda: wav(86_400),
    "a WAV of 65535 channels": lambda: wav(10, channels=65_535, data=bytes(1000)),
    "a WAV of no samples a second": lambda: wav(10, rate=0, data=bytes(1000)),
    "a WAV of 4 billion samples a second": lambda: wav(1, rate=2**32 - 1, data=bytes(1000)),
    "half a FLAC header": lambda: flac()[:20],
    "Ogg and nothing": lambda: b"OggS" + bytes(50),
    "CAF of minus one": lambda: b"caff\0\x01\0\0desc" + b"\xff" * 60,
    "a picture": lambda: PNG,
}


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_that_swells_is_refused_cheaply(name: str) -> None:
    sound = SOUNDS[name]()
    with Peak() as peak, pytest.raises(RowError):
        waveform.decode(sound, None, rate=16_000, max_seconds=1800)
    assert peak.mib < 150


def test_raw_samples_are_counted_before_they_are_resampled() -> None:
    with pytest.raises(RowError, match="over 1 seconds"):
        waveform.decode(bytes(4 * 2000), 1000, rate=768_000, max_seconds=1)


def test_a_video_has_so_many_frames_and_no_more() -> None:
    """A frame of one pixel takes 70 bytes, and three megabytes at the model's own size."""
    with pytest.raises(ValidationError, match="at most 1000"):
        VideoMaskGenerationInput(
            videos=[[PNG] * (MAX_FRAMES + 1)], objects_ids=[[1]], frame_indexes=[[0]]
        )
