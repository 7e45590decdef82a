"""Compressed DICOM that pydicom reads with no package of its own: by imagecodecs."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import imagecodecs
from numpy.typing import NDArray
from pydicom import uid
from pydicom.pixels import decoders
from pydicom.pixels.decoders.base import DecodeRunner

_DECODERS: dict[str, Callable[[bytes], NDArray[Any]]] = {
    uid.JPEGExtended12Bit: imagecodecs.jpeg8_decode,
    uid.JPEGLossless: imagecodecs.ljpeg_decode,
    uid.JPEGLosslessSV1: imagecodecs.ljpeg_decode,
    uid.JPEGLSLossless: imagecodecs.jpegls_decode,
    uid.JPEGLSNearLossless: imagecodecs.jpegls_decode,
    uid.JPEG2000Lossless: imagecodecs.jpeg2k_decode,
    uid.JPEG2000: imagecodecs.jpeg2k_decode,
    uid.HTJ2KLossless: imagecodecs.jpeg2k_decode,
    uid.HTJ2KLosslessRPCL: imagecodecs.jpeg2k_decode,
    uid.HTJ2K: imagecodecs.jpeg2k_decode,
}

#: pydicom asks for it.
DECODER_DEPENDENCIES = dict.fromkeys(_DECODERS, ("imagecodecs",))

_NAMED = {
    *("JPEGExtended12BitDecoder", "JPEGLosslessDecoder", "JPEGLosslessSV1Decoder"),
    *("JPEGLSLosslessDecoder", "JPEGLSNearLosslessDecoder", "JPEG2000LosslessDecoder"),
    *("JPEG2000Decoder", "HTJ2KLosslessDecoder", "HTJ2KLosslessRPCLDecoder", "HTJ2KDecoder"),
}

_PLUGIN = "imagecodecs"

#: How a codestream of JPEG 2000 begins, and a file of boxes around one.
_J2K, _BOXED = b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "
#: Bytes of a box's head.
_BOX = 8
#: What each of JPEG's segments begins with, and the kinds that tell a frame's size (ISO/IEC
#: 10918-1, B.1.1.3; 14495-1, C.1.1).
_MARKER = 0xFF
_BEGINS_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})


def register() -> None:
    """Add these to pydicom's decoders, behind those that are there."""
    for name in _NAMED:
        getattr(decoders, name).add_plugin(_PLUGIN, (__name__, "decode_frame"))


def is_available(syntax: str) -> bool:
    """Whether a transfer syntax is read here, as pydicom asks it."""
    return syntax in _DECODERS


def decode_frame(src: bytes, runner: DecodeRunner) -> bytearray:
    """A frame's samples, colour by pixel, as pydicom asks for them. Raises ValueError."""
    src = bytes(src)
    allowed = runner.rows * runner.columns * runner.samples_per_pixel
    if _samples(src) > allowed:  # a codec would take the memory before pydicom counts
        raise ValueError("a frame is larger than its file says")
    values = _DECODERS[runner.transfer_syntax](src)
    runner.set_option("bits_allocated", 8 * values.dtype.itemsize)
    runner.set_option("planar_configuration", 0)
    if str(runner.photometric_interpretation) in ("YBR_ICT", "YBR_RCT"):
        runner.set_option("photometric_interpretation", "RGB")  # the codec has turned it back
    return bytearray(values.tobytes())


def _samples(frame: bytes) -> int:
    """How many a frame has, by its head. Raises ValueError, IndexError, struct.error for none."""
    at = _codestream(frame)
    if frame.startswith(_J2K, at):
        right, low, left, top = struct.unpack_from(">4I", frame, at + 8)
        (count,) = struct.unpack_from(">H", frame, at + 40)
        return int((right - left) * (low - top) * count)
    at += 2
    while frame[at] == _MARKER:
        kind, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4])
        if kind in _BEGINS_FRAME:
            height, width, count = struct.unpack_from(">2HB", frame, at + 5)
            return int(width * height * count)
        at += 1 if kind == _MARKER else 2 + length
    raise ValueError("no frame")


def _codestream(frame: bytes) -> int:
    """Where it begins: some files have it in JPEG 2000's boxes."""
    at = 0
    while frame.startswith(_BOXED) and frame[at + 4 : at + 8] != b"jp2c":
        length = int.from_bytes(frame[at : at + 4])
        if length < _BOX:
            raise ValueError("no codestream")
        at += length
    return at + _BOX if at else 0
