"""Compressed DICOM that pydicom reads with no package of its own: by imagecodecs."""

from __future__ import annotations

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


def register() -> None:
    """Add these to pydicom's decoders, behind those that are there."""
    for name in _NAMED:
        getattr(decoders, name).add_plugin(_PLUGIN, (__name__, "decode_frame"))


def is_available(syntax: str) -> bool:
    """Whether a transfer syntax is read here, as pydicom asks it."""
    return syntax in _DECODERS


def decode_frame(src: bytes, runner: DecodeRunner) -> bytearray:
    """A frame's samples, colour by pixel, as pydicom asks for them."""
    values = _DECODERS[runner.transfer_syntax](bytes(src))
    runner.set_option("bits_allocated", 8 * values.dtype.itemsize)
    runner.set_option("planar_configuration", 0)
    if str(runner.photometric_interpretation) in ("YBR_ICT", "YBR_RCT"):
        runner.set_option("photometric_interpretation", "RGB")  # the codec has turned it back
    return bytearray(values.tobytes())
