"""What the first bytes of a sound tell: whether it is a file, and about how long it lasts."""

from __future__ import annotations

import struct

#: How the files begin that soundfile reads. No sample between -1 and 1 has these bytes, but ID3's,
#: which are of a number below 1e-36: raw samples are never taken for one of these.
_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"FORM", b".snd", b"caff", b"ID3")

#: Bytes a millisecond takes, about, in files that are packed, 128 kbit/s, and that are not, CD's.
_PACKED, _PLAIN = 16, 176


def is_file(data: bytes) -> bool:
    """Whether it begins as a sound file does. MP3 without a tag looks like anything: not known."""
    return data.startswith(_MAGIC)


def milliseconds(data: bytes, sample_rate: int | None) -> int:
    """How long a sound lasts: exactly for raw samples and most WAV and FLAC, else a guess.

    `sample_rate` is that of raw 32-bit samples, None where only files are sent.
    """
    if not is_file(data):
        return len(data) * 1000 // (4 * sample_rate) if sample_rate else len(data) // _PACKED
    known = _wav(data) if data.startswith(b"RIFF") else _flac(data)
    if known is not None:
        return known
    return len(data) // (_PACKED if data.startswith((b"OggS", b"ID3", b"fLaC")) else _PLAIN)


def _wav(data: bytes) -> int | None:
    """By the header's bytes a second: RIFF....WAVEfmt, size, format, channels, rate, bytes/s."""
    if len(data) < 32 or data[12:16] != b"fmt ":
        return None
    (bytes_per_s,) = struct.unpack_from("<I", data, 28)
    return len(data) * 1000 // bytes_per_s if bytes_per_s else None


def _flac(data: bytes) -> int | None:
    """By STREAMINFO, which comes first: 20 bits of rate, 8 of form, 36 of samples."""
    if len(data) < 26 or not data.startswith(b"fLaC"):
        return None
    (packed,) = struct.unpack_from(">Q", data, 18)
    rate, samples = packed >> 44, packed & (1 << 36) - 1
    return samples * 1000 // rate if rate and samples else None
