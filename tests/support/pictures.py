"""Documents and pictures of phones and clinics, made in code."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate


def paged(pages: Sequence[Image.Image], form: str = "PDF", **options: Any) -> bytes:
    """A file of several pages or frames, by Pillow."""
    first, *others = (page.copy() for page in pages)  # what one writer leaves in an image stays
    file = io.BytesIO()
    first.save(file, form, save_all=True, append_images=others, **options)
    return file.getvalue()


def written_pdf(contents: Sequence[str], *, box: str = "0 0 144 72", trailer: str = "") -> bytes:
    """A PDF with a page for each stream of operators; the font is F1, Helvetica."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(contents)))
    parts = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(contents)}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number, drawn in enumerate(contents):
        parts += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents {5 + 2 * number} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>",
            f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream",
        ]
    file, places = b"%PDF-1.7\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(file))
        file += f"{number} 0 obj\n{part}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = (
        f"xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}"
        f"trailer<</Size {len(parts) + 1}/Root 1 0 R{trailer}>>\nstartxref\n{len(file)}\n%%EOF"
    )
    return file + end.encode()


def dicom(
    values: NDArray[Any],
    syntax: str = uid.ExplicitVRLittleEndian,
    *,
    coded: Sequence[bytes] = (),
    frames: int = 0,
    **tags: Any,
) -> bytes:
    """A DICOM file of a made-up person. `coded` are its frames as the syntax has them."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = uid.CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = uid.UID("1.2.3")
    data.PatientName, data.PatientID = "Doe^Jane", "SECRET7"
    one = values[0] if frames else values
    data.Rows, data.Columns = one.shape[:2]
    data.SamplesPerPixel = 3 if one.ndim == 3 else 1
    if one.ndim == 3:
        data.PlanarConfiguration = 0
    if frames:
        data.NumberOfFrames = frames
    data.BitsAllocated = data.BitsStored = 8 * values.dtype.itemsize
    data.PixelRepresentation = int(values.dtype.kind == "i")
    data.PhotometricInterpretation = "RGB" if one.ndim == 3 else "MONOCHROME2"
    for name, value in tags.items():
        setattr(data, name, value)
    data.HighBit = data.BitsStored - 1
    data.PixelData = encapsulate(list(coded)) if coded else values.tobytes()
    data["PixelData"].is_undefined_length = bool(coded)
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


def blocks(width: int = 60, height: int = 40) -> NDArray[np.uint8]:
    """A picture whose four corners differ."""
    values = np.zeros((height, width, 3), np.uint8)
    values[: height // 2, : width // 2] = 250, 10, 10
    values[: height // 2, width // 2 :] = 10, 250, 10
    values[height // 2 :, : width // 2] = 10, 10, 250
    return values
