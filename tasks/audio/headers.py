"""What the first bytes of a sound tell: whether it is a file, its kind, and how long it lasts."""

from __future__ import annotations

import struct

from ..media.containers import Container, container

#: How the files begin that soundfile reads. No sample between -1 and 1 has these bytes, but ID3's,
#: which are of a number below 1e-36: raw samples are never taken for one of these.
_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"FORM", b".snd", b"caff", b"ID3")

#: Bytes a millisecond takes, about, in files that are packed, 128 kbit/s, and that are not, CD's.
_PACKED, _PLAIN = 16, 176

#: Longest guess. A guess weighs a row for its batch; no task's limit is below it, so that none is
#: refused for one: decoding tells how long a sound is.
_LONGEST_GUESS_MS = 60_000


#: How files begin that soundfile reads unless their codec is none of its own.
_CODECS = {
    b"OggS": Container("ogg", "Ogg with another codec than Vorbis, Opus or FLAC"),
    b"RIFF": Container("wav", "WAV of a rare codec"),
    b"caff": Container("caf", "CAF of a rare codec"),
}


def is_file(data: bytes) -> bool:
    """Whether it begins as a sound file does. MP3 without a tag looks like anything: not known."""
    return data.startswith(_MAGIC) or container(data, 1) is not None


def rare_codec(data: bytes) -> Container | None:
    """What a file that soundfile should read, and does not, may be all the same."""
    return next((kind for magic, kind in _CODECS.items() if data.startswith(magic)), None)


def milliseconds(data: bytes, sample_rate: int | None) -> int:
    """How long a sound lasts: exactly for raw samples and most WAV and FLAC, else a guess.

    A guess is a minute at most. `sample_rate` is that of raw 32-bit samples, None where only files
    are sent.
    """
    if not is_file(data) and sample_rate:
        return len(data) * 1000 // (4 * sample_rate)
    known = _wav(data) if data.startswith(b"RIFF") else _flac(data)
    if known is not None:
        return known
    plain = data.startswith(_MAGIC) and not data.startswith((b"OggS", b"ID3", b"fLaC"))
    return min((len(data) - _tag(data)) // (_PLAIN if plain else _PACKED), _LONGEST_GUESS_MS)


def _tag(data: bytes) -> int:
    """Bytes of the ID3 tag at the head, which may hold a picture: four times seven bits."""
    if not data.startswith(b"ID3") or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return min(10 + size, len(data))


def _wav(data: bytes) -> int | None:
    """By the header's bytes a second: RIFF....WAVEfmt, size, format, channels, rate, bytes/s."""
    if len(data) < 32 or data[8:16] != b"WAVEfmt ":
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
