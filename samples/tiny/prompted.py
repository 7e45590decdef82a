"""Tiny models that write of a picture and are asked in a way of their own, not in a chat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.donut.image_processing_pil_donut import DonutImageProcessorPil
from transformers.models.pix2struct.image_processing_pil_pix2struct import (
    Pix2StructImageProcessorPil,
)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from .parts import SMALL, SQUARE, bpe, loud, save, wordpiece

#: Configs take more than their signatures tell.
hf: Any = transformers

_EYE: dict[str, Any] = {**SMALL, "image_size": 64, "patch_size": 16}
_CROP: dict[str, Any] = {"size": {"shortest_edge": 64}, "crop_size": SQUARE}
_LOUD = (
    *("embed", "attention", "attn", "projection", "projector", "connector", "query", "lm_head"),
    *("decoder.layers", "output", "cls.predictions", "EncDecAttention", "patch"),
)


def blip(folder: Path) -> None:
    """A BLIP that captions."""
    _save_blip(folder, hf.BlipForConditionalGeneration)


def blip_answers(folder: Path) -> None:
    """A BLIP that answers questions."""
    _save_blip(folder, hf.BlipForQuestionAnswering)


def blip2(folder: Path) -> None:
    """A BLIP-2 whose pictures are read to an OPT."""
    config, tokenizer = _with_queries(hf.Blip2Config)
    images = BlipImageProcessorPil(size=SQUARE)
    _quiet(hf.Blip2ForConditionalGeneration(config), "language_model", folder, tokenizer)
    processor = hf.Blip2Processor(images, tokenizer, num_query_tokens=4)
    save(folder, processor)


def instructblip(folder: Path) -> None:
    """An InstructBLIP, whose queries read the text, too."""
    config, tokenizer = _with_queries(hf.InstructBlipConfig)
    images = BlipImageProcessorPil(size=SQUARE)
    _quiet(hf.InstructBlipForConditionalGeneration(config), "language_model", folder, tokenizer)
    processor = hf.InstructBlipProcessor(images, tokenizer, wordpiece(), num_query_tokens=4)
    save(folder, processor)


def florence2(folder: Path) -> None:
    """A Florence-2."""
    places = [f"<loc_{place}>" for place in range(1000)]
    tokenizer = bpe(extra=("<image>",), extra_special_tokens={"image_token": "<image>"})
    tokenizer.add_tokens(places)
    config = hf.Florence2Config(
        text_config=_bart(tokenizer),
        vision_config={
            "depths": [1, 1],
            "patch_size": [7, 3],
            "patch_stride": [4, 2],
            "num_groups": [2, 2],
            "patch_padding": [3, 1],
            "patch_prenorm": [False, True],
            "embed_dim": [16, 32],
            "num_heads": [2, 2],
            "window_size": 4,
            "projection_dim": 32,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    images: Any = CLIPImageProcessorPil(size=SQUARE, do_center_crop=False)
    images.image_seq_length = 65  # 8 x 8 places and all of them
    kinds = (
        "pure_text",
        "description_with_bboxes",
        "bboxes",
        "phrase_grounding",
        "ocr",
        "polygons",
    )
    processor = hf.Florence2Processor(
        images, tokenizer, post_processor_config={kind: {} for kind in kinds}
    )
    model = hf.Florence2ForConditionalGeneration(config)
    start = {"decoder_start_token_id": tokenizer.eos_token_id}
    _quiet(model, "", folder, tokenizer, **start)
    save(folder, processor)


def git(folder: Path) -> None:
    """A GIT."""
    tokenizer = wordpiece()
    config = hf.GitConfig(
        **SMALL,
        vision_config=_EYE,
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
    )
    images = CLIPImageProcessorPil(**_CROP)
    start = {"bos_token_id": tokenizer.cls_token_id}
    _quiet(hf.GitForCausalLM(config), "", folder, tokenizer, **start)
    save(folder, hf.GitProcessor(images, tokenizer))


def kosmos2(folder: Path) -> None:
    """A Kosmos-2, which writes places as tokens."""
    tokenizer = bpe()
    images = CLIPImageProcessorPil(**_CROP)
    processor = hf.Kosmos2Processor(images, tokenizer, num_patch_index_tokens=16)
    processor.num_image_tokens = 4
    text = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 256,
        "embed_dim": 32,
        "layers": 2,
        "ffn_dim": 37,
        "attention_heads": 2,
        "scale_embedding": False,
        **_ids(tokenizer),
    }
    config = hf.Kosmos2Config(text_config=text, vision_config=_EYE, latent_query_num=64)
    _quiet(hf.Kosmos2ForConditionalGeneration(config), "text_model", folder, tokenizer)
    save(folder, processor)


def paligemma(folder: Path) -> None:
    """A PaliGemma."""
    tokenizer = bpe(extra=("<image>",), extra_special_tokens={"image_token": "<image>"})
    images: Any = SiglipImageProcessorPil(size=SQUARE)
    images.image_seq_length = 16
    processor = hf.PaliGemmaProcessor(images, tokenizer)
    text = {
        **SMALL,
        "model_type": "gemma",
        "num_key_value_heads": 1,
        "head_dim": 16,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 512,
        **_ids(tokenizer),
    }
    config = hf.PaliGemmaConfig(
        text_config=text,
        vision_config={
            **_EYE,
            "model_type": "siglip_vision_model",
            "vision_use_head": False,
            "projection_dim": 32,
        },
        image_token_index=processor.image_token_id,
        projection_dim=32,
        hidden_size=32,
    )
    _quiet(hf.PaliGemmaForConditionalGeneration(config), "", folder, tokenizer)
    save(folder, processor)


def pix2struct(folder: Path) -> None:
    """A Pix2Struct that captions."""
    tokenizer = bpe()
    sizes = {"d_kv": 16, "d_ff": 37, "hidden_size": 32}
    text = {**sizes, "num_layers": 2, "num_heads": 2, "vocab_size": len(tokenizer)}
    eye = {**sizes, "num_hidden_layers": 2, "num_attention_heads": 2}
    eye |= {"patch_embed_hidden_size": 4 * 4 * 3, "seq_len": 2048}
    config = hf.Pix2StructConfig(
        text_config={**text, **_ids(tokenizer), "decoder_start_token_id": tokenizer.pad_token_id},
        vision_config=eye,
    )
    patches: dict[str, Any] = {"patch_size": {"height": 4, "width": 4}, "max_patches": 2048}
    images = Pix2StructImageProcessorPil(**patches)
    start = {"decoder_start_token_id": tokenizer.pad_token_id}
    _quiet(hf.Pix2StructForConditionalGeneration(config), "", folder, tokenizer, **start)
    save(folder, hf.Pix2StructProcessor(images, tokenizer))


def donut(folder: Path) -> None:
    """A Donut: a Swin that looks, a decoder of BART's kind that writes fields."""
    tokenizer = bpe(
        extra=("<s_docvqa>", "<s_question>", "</s_question>", "<s_answer>", "</s_answer>")
    )
    encoder = hf.DonutSwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4
    )
    decoder = hf.MBartConfig(
        **{name: value for name, value in _bart(tokenizer).items() if name != "model_type"},
        is_decoder=True,
        add_cross_attention=True,
        scale_embedding=True,
    )
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id = tokenizer.bos_token_id
    config.pad_token_id = tokenizer.pad_token_id
    images = DonutImageProcessorPil(size=SQUARE)
    start = {"decoder_start_token_id": tokenizer.bos_token_id}
    _quiet(hf.VisionEncoderDecoderModel(config), "", folder, tokenizer, **start)
    save(folder, hf.DonutProcessor(images, tokenizer))


def _quiet(model: Any, part: str, folder: Path, tokenizer: Any, **start: int) -> None:
    """Save a model of random weights without an end of its texts: where they end is chance."""
    settings = hf.GenerationConfig(pad_token_id=tokenizer.pad_token_id, **start)
    model.generation_config = settings
    if part:  # what writes takes its end from its config
        getattr(model.config, "text_config", model.config).eos_token_id = None
    save(folder, loud(model, *_LOUD))


def _save_blip(folder: Path, kind: Any) -> None:
    tokenizer = wordpiece()
    config = hf.BlipConfig(
        text_config={
            **SMALL,
            "encoder_hidden_size": 32,
            "projection_dim": 32,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 64,
            "bos_token_id": 4,
            "sep_token_id": 3,
            "eos_token_id": 5,
        },
        vision_config={**_EYE, "projection_dim": 32},
    )
    images = BlipImageProcessorPil(size=SQUARE)
    save(folder, loud(kind(config), *_LOUD), hf.BlipProcessor(images, tokenizer))


def _with_queries(kind: Any) -> tuple[Any, Any]:
    """A config of a picture read to an OPT by four queries, and its tokenizer."""
    tokenizer = bpe(extra=("<image>",))
    text = {
        "model_type": "opt",
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "ffn_dim": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "word_embed_proj_dim": 32,
        "max_position_embeddings": 128,
        **_ids(tokenizer),
    }
    queries = {**SMALL, "encoder_hidden_size": 32, "vocab_size": len(wordpiece())}
    config = kind(
        vision_config=_EYE,
        qformer_config=queries,
        text_config=text,
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    return config, tokenizer


def _bart(tokenizer: Any) -> dict[str, Any]:
    return {
        "model_type": "bart",
        "vocab_size": len(tokenizer),
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_ffn_dim": 37,
        "decoder_ffn_dim": 37,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "max_position_embeddings": 160,
        **_ids(tokenizer),
        "decoder_start_token_id": tokenizer.eos_token_id,
        "forced_eos_token_id": None,
    }


def _ids(tokenizer: Any) -> dict[str, Any]:
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    return {name: getattr(tokenizer, name) for name in names}
