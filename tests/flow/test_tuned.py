"""A model that names no backend, from its first start to its second."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.create import create_task
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)

from ..support import tiny

pytestmark = pytest.mark.slow

MODELS = (
    '[[models]]\nname = "vit"\ntask = "image-classification"\nsource = "vit"\nmax_batch_size = 4\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    tiny.vit(folder / "vit")
    (folder / "vit" / "model.onnx").unlink()
    (folder / "models.toml").write_text(MODELS)
    return folder


def photo(width: int, height: int) -> bytes:
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_it_is_tuned_once_and_answers_as_torch_does(folder: Path) -> None:
    images = [photo(50, 40), photo(200, 90), photo(64, 64)]
    with create_task("transformers", "image-classification", str(folder / "vit")) as task:
        wanted = task.process(ImageClassificationInput(images=images))
    assert isinstance(wanted, ImageClassificationOutput)
    verdicts = folder / "data" / "tuned" / "verdicts"
    tuned = []
    for _ in range(2):
        with Stack(models=folder / "models.toml", data_dir=folder / "data", flower=False) as stack:
            told = httpx.get(f"{stack.url}/v2/models/vit").json()  # known as soon as it is ready
            with Client(stack.url) as client:
                found = client.infer("vit", ImageClassificationInput(images=images))
        (file,) = verdicts.glob("*.json")
        tuned.append(file.read_text())
        assert isinstance(found, ImageClassificationOutput)
        for one, other in zip(found.results, wanted.results, strict=True):
            assert [e.label for e in one] == [e.label for e in other]
            assert [e.score for e in one] == pytest.approx([e.score for e in other], abs=1e-3)
        names = {each["name"] for each in told["parameters"]["tuning"]["tried"]}
        assert {"transformers float32", "onnxruntime float32"} <= names
        backend = told["parameters"]["backend"]
        assert told["platform"] == f"wherry_{backend}"
    assert tuned[0] == tuned[1]  # the second start has tried nothing
