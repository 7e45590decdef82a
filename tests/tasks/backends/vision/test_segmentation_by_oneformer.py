"""OneFormer, which is told its subtask as text: rows of one batch are told different ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from transformers.models.oneformer.image_processing_pil_oneformer import OneFormerImageProcessorPil

from wherry.samples.tiny.parts import LABELS, NAMES, SQUARE, bpe, loud, save
from wherry.tasks.create import create_task
from wherry.tasks.vision.image_segmentation import (
    ImageSegmentationInput,
    ImageSegmentationOutput,
)

from ....support import tiny

hf: Any = transformers
ANY: dict[str, Any] = {
    "threshold": 0.0,
    "mask_threshold": 0.0,
    "overlap_mask_area_threshold": 0.0,
}
SUBTASKS: tuple[Any, ...] = ("panoptic", "instance", "semantic", None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oneformer")
    end = "<|endoftext|>"
    tokenizer = bpe(bos="<|startoftext|>", eos=end, pad=end, unk=end, max_length=16, framed=True)
    backbone = hf.SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=8,
        depths=[1] * 4,
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    texts = {
        f"text_encoder_{name}": value
        for name, value in {
            "n_ctx": 2,
            "context_length": 16,
            "width": 32,
            "num_layers": 1,
            "vocab_size": len(tokenizer),
            "proj_layers": 1,
        }.items()
    }
    config = hf.OneFormerConfig(
        **LABELS,
        **texts,
        backbone_config=backbone,
        num_queries=6,
        task_seq_len=16,
        max_seq_len=16,
        query_dec_layers=1,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        conv_dim=32,
        mask_dim=32,
        dim_feedforward=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        is_training=False,
        train_num_points=16,
    )
    classes = {str(i): {"isthing": 1, "name": name} for i, name in NAMES.items()}
    (folder / "classes.json").write_text(json.dumps(classes))
    images = OneFormerImageProcessorPil(
        size=SQUARE, repo_path=str(folder), class_info_file="classes.json", num_text=4
    )
    torch.manual_seed(0)
    model = loud(hf.OneFormerForUniversalSegmentation(config), "class_embed", "task_encoder")
    save(folder, model, images, tokenizer)
    return folder


def test_batch_equals_the_models_own_single_answers(folder: Path) -> None:
    own = hf.OneFormerForUniversalSegmentation.from_pretrained(folder).eval()
    images = hf.AutoImageProcessor.from_pretrained(folder)
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    processor = hf.OneFormerProcessor(images, tokenizer, max_seq_length=16, task_seq_length=16)
    task = create_task("transformers", "image-segmentation", str(folder))
    rows: list[Any] = [
        ImageSegmentationInput(images=[data], subtask=subtask, **ANY)
        for data, subtask in zip(tiny.images(), SUBTASKS, strict=True)
    ]
    for row, answer in zip(rows, task.backend.run(rows), strict=True):
        assert isinstance(answer, ImageSegmentationOutput)
        image = Image.open(io.BytesIO(row.images[0])).convert("RGB")
        subtask = row.subtask or "panoptic"
        told = processor([image], [subtask], return_tensors="pt")
        with torch.inference_mode():
            out = own(**told)
        masks = [np.asarray(Image.open(io.BytesIO(part.mask))) > 0 for part in answer.segments[0]]
        assert {mask.shape for mask in masks} == {(image.height, image.width)}
        if subtask == "semantic":
            (labels,) = images.post_process_semantic_segmentation(
                out, [(image.height, image.width)]
            )
            assert [part.label for part in answer.segments[0]] == [
                NAMES[label] for label in labels.unique().tolist()
            ]
            continue
        # Its own resizing needs torchvision: compare at the size that the masks have.
        (found,) = getattr(images, f"post_process_{subtask}_segmentation")(out, **ANY)
        theirs = {part["score"]: part for part in found["segments_info"]}
        assert len(theirs) > 0
        for part, mask in zip(answer.segments[0], masks, strict=True):
            (near,) = (t for score, t in theirs.items() if abs(score - part.score) < 2e-6)
            assert part.label == NAMES[near["label_id"]]
            share = (found["segmentation"] == near["id"]).float().mean()
            assert mask.mean() == pytest.approx(float(share), abs=0.05)


def test_what_it_is_told_counts(folder: Path) -> None:
    task = create_task("transformers", "image-segmentation", str(folder))
    tokens = task.backend._task_tokens(  # type: ignore[attr-defined] # an ImageSegmentation
        [ImageSegmentationInput(images=[b"x"], subtask=subtask) for subtask in SUBTASKS]
    )
    assert tokens.shape == (4, 16)
    assert len({tuple(row) for row in tokens.tolist()}) == 3
    assert tokens[0].tolist() == tokens[3].tolist()
    # The shortest is padded, and what pads it does not count as text.
    assert tokens[1, -1] == 0
    assert task.backend.tokenizer.pad_token_id != 0  # type: ignore[attr-defined] # as above
