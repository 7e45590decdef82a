"""Files as other servers want them: with a name or a type that tells what they are."""

from __future__ import annotations

import struct

from ...audio.headers import is_file

_IMAGES = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))

_SOUNDS = (
    (b"RIFF", "wav"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"\x1aE\xdf\xa3", "webm"),
)

#: Where WAV says that samples are floats.
_FLOAT = 3


def image_type(image: bytes) -> str:
    """What kind of image a file is, for a data: URI; PNG where that is not seen."""
    kind = next((kind for magic, kind in _IMAGES if image.startswith(magic)), "png")
    return f"image/{kind}"


def sound_file(sound: bytes, sample_rate: int | None) -> tuple[str, bytes]:
    """A sound as a file, with a name that tells its kind; raw samples become a WAV."""
    if sample_rate and not is_file(sound):
        return "sound.wav", _wav(sound, sample_rate)
    kind = next((kind for magic, kind in _SOUNDS if sound.startswith(magic)), "")
    if not kind:
        kind = "m4a" if sound[4:8] == b"ftyp" else "mp3"
    return f"sound.{kind}", sound


def _wav(samples: bytes, rate: int) -> bytes:
    form = struct.pack("<HHIIHH", _FLOAT, 1, rate, 4 * rate, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body
