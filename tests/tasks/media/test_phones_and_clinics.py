"""HEIC, JPEG XL and DICOM: files made by the formats' own libraries, their pixels known."""

from __future__ import annotations

import io
import logging
import sys
import zlib
from typing import Any

import imagecodecs
import numpy as np
import pillow_heif
import pydicom
import pytest
from PIL import Image, ImageOps
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from wherry.protocol.errors import RowError
from wherry.tasks.cost import weigh
from wherry.tasks.media import dicom, dicom_codecs
from wherry.tasks.media.decode import decode
from wherry.tasks.media.pages import open_pages
from wherry.tasks.media.size import displayed_size

from ...support import pictures, tiny

BLOCKS = pictures.blocks()
IMAGE = Image.fromarray(BLOCKS)

#: Hounsfield units, as a scanner stores them: of 12 bits, from -1024.
UNITS = (np.arange(48 * 64).reshape(48, 64) - 1000).astype(np.int16)
STORED = (UNITS + 1024).astype(np.uint16)
CT: dict[str, Any] = {"BitsStored": 12, "RescaleSlope": "1", "RescaleIntercept": "-1024"}
WINDOW: dict[str, Any] = {"WindowCenter": ["40", "-600"], "WindowWidth": ["400", "1500"]}


def heic(orientation: int = 1, image: Image.Image = IMAGE) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=-1, exif=exif.tobytes())
    return file.getvalue()


def pixels(data: bytes, background: str = "white") -> np.ndarray:
    return np.asarray(decode(data, background=background)).astype(int)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_of_phones_are_upright(orientation: int) -> None:
    jpeg = tiny.encode(IMAGE, "JPEG", exif=_exif(orientation), quality=95, subsampling=0)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg)))
    lossless_jpeg = bytes(imagecodecs.jpegxl_encode_jpeg(jpeg))
    for data in (heic(orientation), lossless_jpeg):
        found = pixels(data)
        assert np.abs(found - np.asarray(upright.convert("RGB"))).max() < 16
        assert displayed_size(data) == (found.shape[1], found.shape[0]) == upright.size
    assert weigh("pixels", "image", lossless_jpeg, None) == 60 * 40
    assert weigh("pixels", "image", heic(orientation), None) >= 60 * 40


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_several_pictures_of_a_heif_are_pages() -> None:
    file, both = io.BytesIO(), pillow_heif.HeifFile()
    for image in (IMAGE, Image.new("RGB", (64, 64), "red")):
        both.add_from_pillow(image)
    both.save(file)
    pages = open_pages(file.getvalue())
    assert (pages.count, pages.kind) == (2, "page")
    assert [page.size for page in pages.images([0, 1])] == [(60, 40), (64, 64)]


@pytest.mark.parametrize("kind", ["HEIC", "JPEG XL"])
def test_what_is_transparent_lies_on_the_background(kind: str) -> None:
    values = np.dstack([BLOCKS, np.full((40, 60), 255, np.uint8)])
    values[:8, :8, 3] = 0
    image = Image.fromarray(values)
    data = heic(image=image) if kind == "HEIC" else imagecodecs.jpegxl_encode(values, lossless=True)
    assert pixels(bytes(data), "#00ff00")[2, 2].tolist() == [0, 255, 0]
    assert pixels(bytes(data), "navy")[2, 2].tolist() == [0, 0, 128]
    assert pixels(bytes(data))[2, 2].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        (BLOCKS, None),
        (BLOCKS[..., 0], None),
        (BLOCKS.astype(np.uint16) * 257, None),
        (BLOCKS.astype(np.uint16) * 16, 12),
        ((BLOCKS / 255).astype(np.float32), None),
    ],
)
def test_jpeg_xl_of_every_depth_is_its_pixels(values: np.ndarray, bits: int | None) -> None:
    data = bytes(imagecodecs.jpegxl_encode(values, lossless=True, bitspersample=bits))
    wanted = BLOCKS if values.ndim == 3 else np.stack([values] * 3, axis=-1)
    assert np.abs(pixels(data) - wanted).max() <= 1


@pytest.mark.parametrize("boxed", [False, True])
@pytest.mark.parametrize(
    "size", [(1, 1), (8, 8), (256, 256), (300, 200), (640, 512), (513, 8193), (5, 70_000)]
)
def test_the_size_of_a_jpeg_xl_is_told_by_its_head(size: tuple[int, int], boxed: bool) -> None:
    blank = np.zeros(size[::-1], np.uint8)
    data = bytes(imagecodecs.jpegxl_encode(blank, usecontainer=boxed, effort=1))
    assert displayed_size(data) == size
    with pytest.raises(RowError, match="pixels; 0 are allowed"):
        decode(data, max_pixels=0)


def test_a_jpeg_xl_that_moves_or_is_broken_is_refused() -> None:
    moving = imagecodecs.jpegxl_encode(np.stack([BLOCKS, 255 - BLOCKS]), photometric="rgb")
    with pytest.raises(RowError, match="moves is not read"):
        decode(bytes(moving))
    for broken in (b"\xff\x0a", bytes(imagecodecs.jpegxl_encode(BLOCKS))[:30]):
        with pytest.raises(RowError, match="cannot be read"):
            decode(broken)


def test_a_scan_is_seen_through_its_first_window() -> None:
    found = pixels(pictures.dicom(STORED, **CT, **WINDOW))
    asked = Dataset()
    asked.PhotometricInterpretation, asked.BitsStored = "MONOCHROME2", 8
    asked.PixelRepresentation, asked.WindowCenter, asked.WindowWidth = 0, 40, 400
    wanted = apply_windowing(UNITS.astype(float), asked)
    assert np.abs(found[..., 0] - wanted).max() <= 0.5
    negative = pictures.dicom(STORED, **CT, **WINDOW, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(pixels(negative), 255 - found)
    signed = pictures.dicom(UNITS, **WINDOW)
    assert np.array_equal(pixels(signed), found)
    assert displayed_size(negative) == (64, 48)


def test_a_scan_without_a_window_is_seen_from_its_darkest_to_its_brightest() -> None:
    padded = STORED.copy()
    padded[0] = 4095
    found = pixels(pictures.dicom(padded, BitsStored=12, PixelPaddingValue=4095))[..., 0]
    assert (found[1:].min(), found[1:].max(), found[0].min()) == (0, 255, 255)


def test_frames_have_windows_of_their_own() -> None:
    groups = []
    for centre in (0, 100):
        window = Dataset()
        window.WindowCenter, window.WindowWidth = centre, 100
        group = Dataset()
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    frames = np.stack([UNITS, UNITS])
    data = pictures.dicom(frames, frames=2, PerFrameFunctionalGroupsSequence=groups)
    pages = open_pages(data)
    assert (pages.count, pages.kind) == (2, "frame")
    first, second = (np.asarray(page)[..., 0] for page in pages.images([0, 1]))
    for found, centre in ((first, 0), (second, 100)):
        assert np.flatnonzero(found.ravel() >= 128)[0] == pytest.approx(1000 + centre, abs=1)


J2K: dict[str, Any] = {"codecformat": "j2k", "reversible": True, "level": 0}


@pytest.mark.parametrize(
    ("syntax", "coded"),
    [
        (uid.JPEGLosslessSV1, lambda: imagecodecs.ljpeg_encode(STORED, bitspersample=12)),
        (uid.JPEGLSLossless, lambda: imagecodecs.jpegls_encode(STORED)),
        (uid.JPEG2000Lossless, lambda: imagecodecs.jpeg2k_encode(STORED, **J2K)),
    ],
)
def test_compressed_scans_are_the_same(syntax: str, coded) -> None:
    data = pictures.dicom(STORED, syntax, coded=[bytes(coded())], **CT, **WINDOW)
    assert np.array_equal(pixels(data), pixels(pictures.dicom(STORED, **CT, **WINDOW)))


@pytest.mark.parametrize(
    ("syntax", "coded"),
    [
        (uid.JPEGExtended12Bit, lambda: tiny.encode(IMAGE.convert("L"), "JPEG")),
        (uid.JPEGLosslessSV1, lambda: imagecodecs.ljpeg_encode(STORED, bitspersample=12)),
        (uid.JPEGLSLossless, lambda: imagecodecs.jpegls_encode(STORED)),
        (uid.JPEG2000Lossless, lambda: imagecodecs.jpeg2k_encode(STORED, **J2K)),
        (uid.JPEG2000, lambda: imagecodecs.jpeg2k_encode(STORED, codecformat="jp2")),
    ],
)
def test_a_frame_that_is_larger_than_its_file_says_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch, syntax: str, coded
) -> None:
    frame, seen = bytes(coded()), list[bytes]()
    monkeypatch.setitem(dicom_codecs._DECODERS, syntax, seen.append)
    with pytest.raises(RowError, match="cannot be read: it is broken"):
        decode(pictures.dicom(STORED[:8, :8], syntax, coded=[frame]))
    assert not seen


def test_a_codestream_in_boxes_is_read() -> None:
    coded = bytes(imagecodecs.jpeg2k_encode(STORED, **{**J2K, "codecformat": "jp2"}))
    data = pictures.dicom(STORED, uid.JPEG2000Lossless, coded=[coded], **CT, **WINDOW)
    assert np.array_equal(pixels(data), pixels(pictures.dicom(STORED, **CT, **WINDOW)))


def test_a_deflated_scan_is_read_and_one_of_endless_zeros_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = pictures.dicom(STORED, uid.DeflatedExplicitVRLittleEndian, **CT, **WINDOW)
    assert np.array_equal(pixels(whole), pixels(pictures.dicom(STORED, **CT, **WINDOW)))
    monkeypatch.setattr(dicom, "_INFLATED", 1 << 20)
    assert displayed_size(whole) == (64, 48)
    packer, begin = zlib.compressobj(wbits=-zlib.MAX_WBITS), 144 + int.from_bytes(whole[140:141])
    bomb = whole[:begin] + packer.compress(bytes(1 << 22)) + packer.flush()
    with pytest.raises(ValueError, match="inflates to too much"):
        dicom._read(bomb)
    with pytest.raises(RowError, match="holds no picture, or is broken"):
        decode(bomb)
    assert displayed_size(bomb) is None


def test_colours_of_dicom_are_kept() -> None:
    assert np.array_equal(pixels(pictures.dicom(BLOCKS)), BLOCKS)
    run_lengths, file = pydicom.dcmread(io.BytesIO(pictures.dicom(BLOCKS))), io.BytesIO()
    run_lengths.compress(uid.RLELossless)
    run_lengths.save_as(file)
    assert np.array_equal(pixels(file.getvalue()), BLOCKS)
    coded = bytes(imagecodecs.jpeg2k_encode(BLOCKS, mct=True, **J2K))
    wavelets = pictures.dicom(
        BLOCKS, uid.JPEG2000Lossless, coded=[coded], PhotometricInterpretation="YBR_RCT"
    )
    assert np.array_equal(pixels(wavelets), BLOCKS)
    photograph = tiny.encode(IMAGE, "JPEG", quality=95, subsampling=0)
    data = pictures.dicom(
        BLOCKS, uid.JPEGBaseline8Bit, coded=[photograph], PhotometricInterpretation="YBR_FULL"
    )
    assert np.abs(pixels(data) - np.asarray(Image.open(io.BytesIO(photograph)))).max() <= 2


def test_nothing_of_a_person_is_in_errors_or_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    whole = pictures.dicom(STORED, **CT, StudyDate="Doe^Jane", PatientBirthDate="SECRET7")
    decode(whole)
    for broken in (
        whole[: len(whole) // 2],
        whole[:200],
        pictures.dicom(STORED, uid.JPEG2000Lossless, coded=[b"SECRET7 " * 9]),
        pictures.dicom(STORED, uid.MPEG2MPML, coded=[b"SECRET7 " * 9]),
        whole.replace(uid.ExplicitVRLittleEndian.encode(), b"Doe^Jane.SECRET7.19"),
    ):
        with pytest.raises(RowError) as refused:
            decode(broken)
        assert "DICOM" in str(refused.value)
        assert "SECRET7" not in str(refused.value)
        assert "Doe" not in str(refused.value)
        assert refused.value.__cause__ is None
    assert "Doe" not in caplog.text
    assert "SECRET7" not in caplog.text


@pytest.mark.parametrize(
    ("data", "title", "package", "module"),
    [
        (pictures.written_pdf([""]), "PDF", "pypdfium2", "pdf"),
        (heic(), "HEIC or HEIF", "pillow_heif", "heif"),
        (bytes(imagecodecs.jpegxl_encode(BLOCKS)), "JPEG XL", "imagecodecs", "jpeg_xl"),
        (pictures.dicom(STORED), "DICOM", "pydicom", "dicom"),
    ],
)
def test_without_the_extra_the_refusal_names_it(
    monkeypatch: pytest.MonkeyPatch, data: bytes, title: str, package: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"wherry.tasks.media.{module}", raising=False)
    with pytest.raises(RowError, match=rf"^{title} is read with the extra pictures \(pip install"):
        decode(data)
    assert displayed_size(data) in (None, (60, 40))
