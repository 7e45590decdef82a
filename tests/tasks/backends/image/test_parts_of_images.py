"""A processor that makes several pictures of one: put together, or refused, never mixed up."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from transformers.models.eomt.image_processing_pil_eomt import EomtImageProcessorPil

from wherry.protocol.errors import RowError
from wherry.samples.tiny.parts import LABELS, save
from wherry.tasks.backends.rows import check_entries
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.image_segmentation import ImageSegmentationOutput

from ....support import tiny

#: Cut into two, two, three, one and two parts; the last two beside each other are of one size.
SIZES = ((96, 64), (64, 96), (160, 64), (80, 80), (96, 64))
IMAGES = [tiny.noise(*size, seed=seed) for seed, size in enumerate(SIZES)]
FILES = [tiny.encode(image) for image in IMAGES]


@pytest.fixture(scope="module")
def eomt(tmp_path_factory: pytest.TempPathFactory) -> LocalTask:
    folder = tmp_path_factory.mktemp("eomt")
    torch.manual_seed(2)  # 0 answers one label everywhere
    config = hf.EomtConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
        num_upscale_blocks=1,
        num_blocks=1,
        num_queries=5,
        **LABELS,
    )
    model = hf.EomtForUniversalSegmentation(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            heads = any(part in name for part in ("class_pred", "mask_head", "query"))
            parameter.normal_(std=1.0 if heads else 0.15)
    size = {"shortest_edge": 64, "longest_edge": None}
    save(folder, model, EomtImageProcessorPil(size=size, do_split_image=True))
    return create_task("transformers", "image-segmentation", str(folder))


def shares(task: LocalTask, files: list[bytes], **fields: Any) -> list[dict[str, float]]:
    """The part of each image that each label covers."""
    output = task.process(task.task.input.validated({"images": files, **fields}))
    assert isinstance(output, ImageSegmentationOutput)
    return [{part.label: _covered(part.mask) for part in row} for row in output.segments]


def _covered(mask: bytes) -> float:
    return float((np.asarray(Image.open(io.BytesIO(mask))) > 0).mean())


def test_an_image_in_parts_is_what_the_documented_call_says(eomt: LocalTask) -> None:
    backend: Any = eomt.backend
    alone = [shares(eomt, [file])[0] for file in FILES]
    for image, own in zip(IMAGES, alone, strict=True):
        inputs = backend.processor(images=[image], return_tensors="pt")
        with torch.inference_mode():
            outputs = backend.model(**inputs)
        (labels,) = backend.processor.post_process_semantic_segmentation(
            outputs, target_sizes=[(image.height, image.width)]
        )
        names = backend.model.config.id2label
        expected = {names[i]: float((labels == i).float().mean()) for i in labels.unique().tolist()}
        assert own == pytest.approx(expected, abs=1e-6)
    assert any(len(own) > 1 for own in alone)


def test_an_image_in_parts_is_its_own_beside_any_other(eomt: LocalTask) -> None:
    alone = [shares(eomt, [file])[0] for file in FILES]
    assert shares(eomt, FILES) == alone
    for other in (1, 4):
        assert shares(eomt, [FILES[0], FILES[other]])[0] == alone[0]


def test_parts_are_joined_for_semantic_segmentation_alone(eomt: LocalTask) -> None:
    assert shares(eomt, FILES[:1], subtask="semantic") == shares(eomt, FILES[:1])
    with pytest.raises(RowError, match="no panoptic segmentation; it has semantic"):
        shares(eomt, FILES[:1], subtask="panoptic")


def test_a_large_image_is_joined_at_the_size_it_was_cut_at(eomt: LocalTask) -> None:
    file = tiny.encode(tiny.noise(1501, 1001))
    assert sum(shares(eomt, [file])[0].values()) == pytest.approx(1)


def test_other_tasks_refuse_an_image_in_parts(vit: Path) -> None:
    task = create_task("transformers", "image-classification", str(vit))
    backend: Any = task.backend
    backend.pixels = None  # the processor itself
    own = backend.processor

    def twice(images: list[Any], **options: Any) -> Any:
        return own(images * 2, **options)

    backend.processor = twice
    with pytest.raises(RowError, match="2 entries of pixel_values where 1 belong to the row"):
        task.process(task.task.input.validated({"images": FILES[:1]}))


def test_one_entry_each() -> None:
    check_entries({"input_ids": [[1], [2]]}, 2)
    with pytest.raises(RowError, match="3 entries of vectors where 2 belong to the rows"):
        check_entries({"vectors": [1, 2, 3]}, 2)


def test_vit_mae_sees_all_of_an_image(tmp_path: Path, vit: Path) -> None:
    torch.manual_seed(0)
    config = hf.ViTMAEConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=37,
        image_size=64,
        patch_size=16,
    )
    save(tmp_path, hf.ViTMAEModel(config), hf.AutoImageProcessor.from_pretrained(vit))
    task = create_task("transformers", "image-feature-extraction", str(tmp_path))
    given = task.task.input.validated({"images": FILES[:2]})
    first, again = (task.process(given).embeddings for _ in range(2))  # type: ignore[attr-defined] # its own Output
    assert first[0] == pytest.approx(again[0], abs=1e-5)
    assert first[0] != pytest.approx(first[1], abs=1e-3)
