"""DICOM, by pydicom: brightness as a viewer shows it at first. Nothing but pixels leaves here."""

from __future__ import annotations

import io
import logging
import warnings
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from ...protocol.errors import RowError
from . import dicom_codecs

# Its warnings and logs cite values of a file: names of people, among others.
config.settings.reading_validation_mode = config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module="pydicom")

dicom_codecs.register()

#: What of a frame's own groups changes its brightness (PS3.3 C.7.6.16).
_OF_FRAMES = ("PixelValueTransformationSequence", "FrameVOILUTSequence")

_GREY = ("MONOCHROME1", "MONOCHROME2")

#: Where what a file says of itself begins, in its group 2.
_META, _META_GROUP = 132, 0x0002
#: Bytes that a deflated file may come to; a small one may hold gigabytes of zeros.
_INFLATED = 1 << 29
#: Bytes that are inflated at a time.
_PIECE = 1 << 14


class DicomPages:
    """The frames of a file."""

    kind: Literal["page", "frame"] = "frame"

    def __init__(self, data: bytes, max_pixels: int) -> None:
        """Raises RowError for a file that is broken, holds no picture, or a too large one."""
        try:
            self._set = _read(data)
            rows, columns = int(self._set.Rows), int(self._set.Columns)
            self.count = max(1, int(self._set.get("NumberOfFrames") or 1))
            self._photometric = str(self._set.PhotometricInterpretation)
            syntax = UID(self._set.file_meta.TransferSyntaxUID)
        except Exception:
            raise RowError("the DICOM file holds no picture, or is broken") from None
        if rows * columns > max_pixels:
            raise RowError(f"the image has {columns} x {rows} pixels; {max_pixels} are allowed")
        try:
            get_decoder(syntax)
        except NotImplementedError:
            # What a file calls its syntax may be anything that somebody typed.
            name = syntax.name if syntax.name != syntax else "one that is not of the standard"
            raise RowError(f"DICOM of this transfer syntax is not read: {name}") from None

    def images(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """As all pages have it."""
        for number in wanted:
            try:
                yield Image.fromarray(self._pixels(number)).convert("RGB")
            except Exception:
                raise RowError(
                    f"frame {number + 1} of the DICOM file cannot be read: it is broken"
                ) from None

    def _pixels(self, number: int) -> NDArray[np.uint8]:
        """(rows, columns) of grey, or (rows, columns, 3)."""
        values = pixel_array(self._set, index=number)  # YBR becomes RGB
        if self._photometric == "PALETTE COLOR":
            values = apply_color_lut(values, self._set)
        if self._photometric not in _GREY:
            return _shifted(values)
        told = self._told(number)
        grey = _windowed(apply_modality_lut(values, told), told)
        inverse = told.get("PresentationLUTShape") == "INVERSE"
        return 255 - grey if self._photometric == "MONOCHROME1" or inverse else grey

    def _told(self, number: int) -> Dataset:
        """What the file, its frames together and this one say of brightness."""
        told = Dataset()
        for element in self._set:
            if element.tag.group == _IMAGE_GROUP and element.tag.element != 0:
                told.add(element)
        told.PresentationLUTShape = self._set.get("PresentationLUTShape", "IDENTITY")
        shared = self._set.get("SharedFunctionalGroupsSequence") or []
        own = self._set.get("PerFrameFunctionalGroupsSequence") or []
        for group in (*shared[:1], *own[number : number + 1]):
            for name in _OF_FRAMES:
                for item in group.get(name) or []:
                    told.update(item)
        return told


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height. Raises what pydicom raises."""
    head = _read(data, stop_before_pixels=True)
    return int(head.Columns), int(head.Rows)


def _read(data: bytes, *, stop_before_pixels: bool = False) -> Dataset:
    """Raises ValueError for a file that would inflate to too much, and what pydicom raises."""
    file = io.BytesIO(data)
    file.seek(_META)
    meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag.group != _META_GROUP)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        _check_inflated(file)
    return pydicom.dcmread(io.BytesIO(data), stop_before_pixels=stop_before_pixels)


def _check_inflated(file: io.BytesIO) -> None:
    unpacked, unpacker = 0, zlib.decompressobj(-zlib.MAX_WBITS)
    while packed := file.read(_PIECE):
        # At most a thousand times as long.
        unpacked += len(unpacker.decompress(packed))
        if unpacked > _INFLATED:
            raise ValueError("the file inflates to too much")


#: Of the picture: its depth, rescaling, window, tables. None tells of people.
_IMAGE_GROUP = 0x0028


def _shifted(values: NDArray[Any]) -> NDArray[np.uint8]:
    bits = 8 * values.dtype.itemsize
    eight: NDArray[np.uint8] = (values >> (bits - 8)).astype(np.uint8)
    return eight


def _windowed(values: NDArray[Any], told: Dataset) -> NDArray[np.uint8]:
    """Eight bits by the file's first table or window (PS3.3 C.11.2); else by its own range."""
    if told.get("VOILUTSequence"):
        looked = apply_voi(values.astype(np.int64), told)
        top = (1 << int(told.VOILUTSequence[0].LUTDescriptor[2])) - 1
        return _scaled(looked / top)
    values = values.astype(np.float64)
    centre, width = (_first(told.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or width <= 0:
        least, most = _range(values, told)
        return _scaled((values - least) / max(most - least, 1e-9))
    function = str(told.get("VOILUTFunction") or "LINEAR").upper()
    if function == "SIGMOID":
        return _scaled(1 / (1 + np.exp(-4 * (values - centre) / width)))
    if function == "LINEAR":
        return _scaled((values - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5)
    return _scaled((values - centre) / width + 0.5)  # LINEAR_EXACT


def _range(values: NDArray[np.float64], told: Dataset) -> tuple[float, float]:
    """Darkest and brightest, without what fills the picture up."""
    padding = told.get("PixelPaddingValue")
    if padding is not None:
        slope, start = (told.get("RescaleSlope") or 1), (told.get("RescaleIntercept") or 0)
        inner = values[values != float(padding) * float(slope) + float(start)]
        values = inner if inner.size else values
    return float(values.min()), float(values.max())


def _first(value: Any) -> float | None:
    """A number, or the first of several."""
    if value is None or value == "":
        return None
    return float(value[0] if isinstance(value, Sequence) else value)


def _scaled(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    eight: NDArray[np.uint8] = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
    return eight
