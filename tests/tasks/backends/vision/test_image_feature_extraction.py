"""Image vectors against the model's own answer, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from wherry.protocol.errors import RowError
from wherry.samples.tiny.parts import loud
from wherry.samples.tiny.vision import image_feature_extraction
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task
from wherry.tasks.vision.image_feature_extraction import (
    ImageFeatureExtractionInput,
    ImageFeatureExtractionOutput,
)

from ....support import tiny

TOLERANCE = 1e-4


def own(folder: Path, data: bytes) -> Any:
    """The model's own outputs for one image."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    tensors = hf.AutoImageProcessor.from_pretrained(folder)(images=[image], return_tensors="pt")
    model = hf.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        return getattr(model, "get_image_features", model)(**tensors)


def embed(folder: Path, *, pool: bool = False) -> list[list[float]]:
    task = create_task("transformers", "image-feature-extraction", str(folder))
    output = task.process(ImageFeatureExtractionInput(images=tiny.images(), pool=pool))
    assert isinstance(output, ImageFeatureExtractionOutput)
    return output.embeddings


def swin(folder: Path) -> None:
    """A model without a first token."""
    config = hf.SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 1], window_size=4
    )
    hf.SwinModel(config).save_pretrained(folder)
    ViTImageProcessorPil(size=tiny.SQUARE).save_pretrained(folder)


def resnet(folder: Path) -> None:
    """A convolutional model."""
    config = hf.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    )
    hf.ResNetModel(config).save_pretrained(folder)
    ConvNextImageProcessorPil(size={"shortest_edge": 64}, crop_pct=1.0).save_pretrained(folder)


def clip(folder: Path) -> None:
    """A model of images and texts."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = hf.CLIPConfig(
        text_config={**sizes, "intermediate_size": 37, "vocab_size": 20},
        vision_config={**sizes, "intermediate_size": 37, "image_size": 64, "patch_size": 16},
        projection_dim=16,
    )
    hf.CLIPModel(config).save_pretrained(folder)
    ViTImageProcessorPil(size=tiny.SQUARE).save_pretrained(folder)


#: Models, and the axes of hidden states that a vector is the mean of; none for the first token's.
MADE: dict[str, tuple[Callable[[Path], None], tuple[int, ...]]] = {
    "dinov2": (image_feature_extraction, ()),
    "swin": (swin, (0,)),
    "resnet": (resnet, (1, 2)),
    "clip": (clip, ()),
}


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("name", MADE)
def test_batch_equals_the_models_own_single_answers(
    name: str, tmp_path: Path, *, pool: bool
) -> None:
    make, axes = MADE[name]
    torch.manual_seed(0)
    make(tmp_path)
    vectors = embed(tmp_path, pool=pool)
    for vector, data in zip(vectors, tiny.images(), strict=True):
        out = own(tmp_path, data)
        hidden = out.last_hidden_state[0]
        first = hidden.mean(axes) if axes else hidden[0]
        theirs = out.pooler_output[0].flatten() if pool else first
        assert vector == pytest.approx(theirs.tolist(), abs=TOLERANCE)
    assert np.ptp(vectors, axis=0).max() > 20 * TOLERANCE  # the rows differ


def test_a_model_without_a_pooler_refuses_rows_that_ask_for_it(tmp_path: Path) -> None:
    config = hf.ViTMAEConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=37,
        image_size=64,
        patch_size=16,
        mask_ratio=0.0,
    )
    hf.ViTMAEModel(config).save_pretrained(tmp_path)
    ViTImageProcessorPil(size=tiny.SQUARE).save_pretrained(tmp_path)
    task = create_task("transformers", "image-feature-extraction", str(tmp_path))
    (data,) = tiny.images()[:1]
    rows = [ImageFeatureExtractionInput(images=[data], pool=pool) for pool in (True, False)]
    bad, good = task.backend.run(rows)
    assert isinstance(bad, RowError)
    assert bad.message == "the model has no pooled output"
    assert isinstance(good, ImageFeatureExtractionOutput)
    assert len(good.embeddings[0]) == 32


def test_a_masked_autoencoder_sees_the_whole_image(tmp_path: Path) -> None:
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 64, "patch_size": 16}
    config = hf.ViTMAEConfig(hidden_size=32, intermediate_size=37, **sizes)
    assert config.mask_ratio == 0.75
    hf.ViTMAEModel(config).save_pretrained(tmp_path)
    ViTImageProcessorPil(size=tiny.SQUARE).save_pretrained(tmp_path)
    model: Any = hf.ViTMAEModel.from_pretrained(tmp_path, mask_ratio=0.0).eval()
    processor = hf.AutoImageProcessor.from_pretrained(tmp_path)
    for vector, data in zip(embed(tmp_path), tiny.images(), strict=True):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        with torch.inference_mode():
            out = model(**processor(images=[image], return_tensors="pt"))
        assert vector == pytest.approx(out.last_hidden_state[0, 0].tolist(), abs=TOLERANCE)


def test_a_backbones_vector_is_the_mean_of_its_last_map(tmp_path: Path) -> None:
    stages = {"depths": [1, 1], "stage_num_blocks": [1, 1], "stage_numb_of_layers": [2, 2]}
    config = hf.HGNetV2Config(
        **stages,
        stem_channels=[3, 8, 16],
        embedding_size=16,
        hidden_sizes=[16, 32],
        stage_in_channels=[16, 16],
        stage_mid_channels=[8, 8],
        stage_out_channels=[16, 32],
        stage_downsample=[False, True],
        stage_light_block=[False, False],
        stage_kernel_size=[3, 3],
    )
    loud(hf.HGNetV2Backbone(config), "convolution").save_pretrained(tmp_path)
    ViTImageProcessorPil(size=tiny.SQUARE).save_pretrained(tmp_path)
    vectors = embed(tmp_path)
    for vector, data in zip(vectors, tiny.images(), strict=True):
        expected = own(tmp_path, data).feature_maps[-1][0].mean((1, 2))
        assert vector == pytest.approx(expected.tolist(), rel=TOLERANCE, abs=TOLERANCE)
    assert np.ptp(vectors, axis=0).max() > 20 * TOLERANCE


def test_a_perceiver_is_refused_with_what_it_does(tmp_path: Path) -> None:
    hf.PerceiverConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelRefused, match="serve it as image-classification"):
        create_task("transformers", "image-feature-extraction", str(tmp_path))
