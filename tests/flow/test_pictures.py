"""Pictures of phones and clinics and pages of documents, on every surface that takes pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import imagecodecs
import numpy as np
import pillow_heif
import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples.tiny import build
from wherry.tasks.media.decode import decode
from wherry.tasks.vision.image_classification import ImageClassificationInput

from ..support import pictures, tiny
from ..support.models import model
from .body_forms import SURFACES

pytestmark = pytest.mark.slow  # four models of torch

TASKS = ("image-classification", "image-text-to-text", "mask-generation", "object-detection")
NOISE = tiny.noise(96, 64).convert("RGB")

#: What an answer says of itself, not of the picture.
_OWN = {"id", "created", "timestamp", "processing_time"}


def _heic() -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(NOISE).save(file, quality=90)
    return file.getvalue()


FILES = {
    "PDF": pictures.paged([NOISE], resolution=200),
    "HEIC": _heic(),
    "JPEG XL": bytes(imagecodecs.jpegxl_encode(np.asarray(NOISE), lossless=True)),
    "DICOM": pictures.dicom(np.asarray(NOISE)),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(
        "\n".join(
            model(task, backend="transformers", source=str(build(task, folder / task)))
            for task in TASKS
        )
    )
    with Stack(models=models, data_dir=folder, flower=False) as stack:
        yield stack


def _answer(url: str, surface: str, file: bytes) -> Any:
    asked = SURFACES[surface]
    body, headers = asked.form(file)
    answer = httpx.post(url + asked.path, content=body, headers=headers, timeout=120)
    assert answer.status_code == 200, answer.text
    try:
        return _content(answer.json())
    except ValueError:
        return answer.content


def _content(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _content(value) for name, value in document.items() if name not in _OWN}
    return [_content(part) for part in document] if isinstance(document, list) else document


@pytest.mark.parametrize("kind", FILES)
def test_every_surface_answers_as_for_the_same_pixels(stack: Stack, kind: str) -> None:
    same = tiny.encode(decode(FILES[kind]))
    for surface in (
        *("hugging face file", "hugging face json", "pixano json", "openai image", "instill"),
    ):
        found, wanted = (_answer(stack.url, surface, file) for file in (FILES[kind], same))
        assert json.dumps(found) == json.dumps(wanted), surface
    with Client(stack.url) as client:
        first, second = (
            client.infer("image-classification", ImageClassificationInput(images=[file]), 120)
            for file in (FILES[kind], same)
        )
    assert first == second
