"""Tiny models that hold pages against queries: ColPali, ColQwen2, ColModernVBERT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from .parts import SMALL, SQUARE, bpe, loud, save, text_config

#: Configs take more than their signatures tell.
hf: Any = transformers

_LOUD = (
    "embedding_proj",
    "embed_tokens",
    "tok_embeddings",
    "patch_embed",
    "self_attn",
    "projector",
)
_EYE: dict[str, Any] = {**SMALL, "image_size": 64, "patch_size": 16}


def colpali(folder: Path) -> None:
    """A ColPali: as many vectors for each page."""
    tokenizer = bpe(extra=("<image>",), extra_special_tokens={"image_token": "<image>"})
    images: Any = SiglipImageProcessorPil(size=SQUARE)
    images.image_seq_length = 16
    processor = hf.ColPaliProcessor(images, tokenizer)
    eye = {**_EYE, "model_type": "siglip_vision_model", "vision_use_head": False}
    paligemma = hf.PaliGemmaConfig(
        text_config={**text_config("gemma", tokenizer), "num_key_value_heads": 1, "head_dim": 16},
        vision_config={**eye, "projection_dim": 32},
        image_token_index=processor.image_token_id,
        projection_dim=32,
        hidden_size=32,
    )
    config = hf.ColPaliConfig(vlm_config=paligemma, embedding_dim=16)
    save(folder, loud(hf.ColPaliForRetrieval(config), *_LOUD), processor)


def colqwen2(folder: Path) -> None:
    """A ColQwen2: as many vectors as a page has places."""
    marks = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    marks |= {f"vision_{end}_token_id": f"<|vision_{end}|>" for end in ("start", "end")}
    tokenizer = bpe(
        extra=(*marks.values(), "<|im_start|>", "<|im_end|>", "<|endoftext|>"),
        extra_special_tokens={"image_token": "<|image_pad|>"},
    )
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3]}
    text = {**text_config("qwen2", tokenizer), "rope_parameters": rope}
    del text["model_type"]
    qwen = hf.Qwen2VLConfig(
        text_config=text,
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "patch_size": 14,
        },
        **{name: tokenizer.convert_tokens_to_ids(mark) for name, mark in marks.items()},
    )
    images = Qwen2VLImageProcessorPil(
        patch_size=14, size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    )
    config = hf.ColQwen2Config(vlm_config=qwen, embedding_dim=16)
    model = loud(hf.ColQwen2ForRetrieval(config), *_LOUD)
    save(folder, model, hf.ColQwen2Processor(images, tokenizer))


def colmodernvbert(folder: Path) -> None:
    """A ColModernVBERT, which looks at a page and at its parts."""
    parts = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    marks = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    tokenizer = bpe(
        extra=(*marks, "<|begin_of_text|>", *parts),
        extra_special_tokens={"image_token": "<image>"},
    )
    text = text_config("modernbert", tokenizer)
    ends = {name: text[f"{name}_token_id"] for name in ("bos", "eos", "pad")}
    text |= {"cls_token_id": ends["bos"], "sep_token_id": ends["eos"], "local_attention": 64}
    vbert = hf.ModernVBertConfig(
        text_config=text,
        vision_config={**_EYE, "model_type": "siglip_vision_model"},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pixel_shuffle_factor=2,
    )
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 128}, max_image_size={"longest_edge": 64}
    )
    config = hf.ColModernVBertConfig(vlm_config=vbert, embedding_dim=16)
    model = loud(hf.ColModernVBertForRetrieval(config), *_LOUD)
    save(folder, model, hf.ColModernVBertProcessor(images, tokenizer, image_seq_len=4))
