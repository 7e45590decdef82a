"""Tiny models that read a picture and write, each with the processor of its kind.

Processors that read videos as well cannot be made without torchvision: their parts and the name of
their class are written, as a published folder has them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
    LlavaOnevisionImageProcessorPil,
)
from transformers.models.pixtral.image_processing_pil_pixtral import PixtralImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from .parts import SMALL, SQUARE, bpe, loud, save, text_config

#: Configs take more than their signatures tell.
hf: Any = transformers

#: A user's message: `{picture}` where its picture stands, words, and the turn of the other one.
_TURNS = (
    "{{% for message in messages %}}{start}{{{{ message['role'] }}}}\n"
    "{{% for part in message['content'] %}}"
    "{{% if part['type'] == 'image' %}}{picture}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}"
    "{{% endfor %}}{end}\n{{% endfor %}}"
    "{{% if add_generation_prompt %}}{start}assistant\n{{% endif %}}"
)

_IM = ("<|im_start|>", "<|im_end|>")
_QWEN = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
_LOUD = (
    "merger",
    "projector",
    "connector",
    "modality",
    "mlp1",
    "lm_head",
    "self_attn",
    "embed_tokens",
)


def qwen2_vl(folder: Path) -> None:
    """A Qwen2-VL: as many tokens as its picture has places."""
    tokenizer = _qwen_tokenizer()
    eye = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "patch_size": 14}
    config = hf.Qwen2VLConfig(
        text_config=_qwen_text(tokenizer), vision_config=eye, **_qwen_marks(tokenizer)
    )
    model = hf.Qwen2VLForConditionalGeneration(config)
    _save_qwen(folder, model, tokenizer, "Qwen2VLProcessor", patch_size=14)


def qwen2_5_vl(folder: Path) -> None:
    """A Qwen2.5-VL, which looks through windows."""
    tokenizer = _qwen_tokenizer()
    eye = {
        "depth": 2,
        "hidden_size": 32,
        "out_hidden_size": 32,
        "num_heads": 2,
        "patch_size": 14,
        "intermediate_size": 37,
        "window_size": 56,
        "fullatt_block_indexes": [1],
    }
    config = hf.Qwen2_5_VLConfig(
        text_config=_qwen_text(tokenizer), vision_config=eye, **_qwen_marks(tokenizer)
    )
    model = hf.Qwen2_5_VLForConditionalGeneration(config)
    _save_qwen(folder, model, tokenizer, "Qwen2_5_VLProcessor", patch_size=14)


def qwen3_vl(folder: Path) -> None:
    """A Qwen3-VL, whose text hears from several layers of its eye."""
    tokenizer = _qwen_tokenizer()
    eye = {
        "depth": 2,
        "hidden_size": 32,
        "out_hidden_size": 32,
        "num_heads": 2,
        "patch_size": 16,
        "intermediate_size": 37,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }
    text = {**_qwen_text(tokenizer), "head_dim": 16}
    config = hf.Qwen3VLConfig(text_config=text, vision_config=eye, **_qwen_marks(tokenizer))
    model = hf.Qwen3VLForConditionalGeneration(config)
    _save_qwen(folder, model, tokenizer, "Qwen3VLProcessor", patch_size=16)


def smolvlm(folder: Path) -> None:
    """A SmolVLM, which looks at a picture and at its parts."""
    special = {"image_token": "<image>", "fake_image_token": "<fake_token_around_image>"}
    special |= {
        "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }
    parts = [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    tokenizer = bpe(extra=(*special.values(), *_IM, *parts), extra_special_tokens=special)
    config = hf.SmolVLMConfig(
        text_config=text_config("llama", tokenizer),
        vision_config={**SMALL, "image_size": 64, "patch_size": 16},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    images = SmolVLMImageProcessorPil(
        size={"longest_edge": 128}, max_image_size={"longest_edge": 64}
    )
    model = hf.SmolVLMForConditionalGeneration(config)
    _save(folder, model, tokenizer, images, "SmolVLMProcessor", "<image>", image_seq_len=4)


def internvl(folder: Path) -> None:
    """An InternVL, which cuts pictures into as many squares as suit them."""
    special = {"start_image_token": "<img>", "end_image_token": "</img>"}
    special |= {"context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"}
    tokenizer = bpe(extra=(*special.values(), *_IM), extra_special_tokens=special)
    config = hf.InternVLConfig(
        text_config=text_config("qwen2", tokenizer),
        vision_config={**SMALL, "image_size": [64, 64], "patch_size": [16, 16]},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    images = GotOcr2ImageProcessorPil(size=SQUARE, crop_to_patches=True, max_patches=3)
    model = hf.InternVLForConditionalGeneration(config)
    _save(
        folder, model, tokenizer, images, "InternVLProcessor", "<IMG_CONTEXT>", image_seq_length=4
    )


def llava_onevision(folder: Path) -> None:
    """A LLaVA-OneVision, which looks at a picture and at its parts of a grid."""
    special = {"image_token": "<image>", "video_token": "<video>"}
    tokenizer = bpe(extra=(*special.values(), *_IM), extra_special_tokens=special)
    grid = [[64, 64], [64, 128], [128, 64]]
    config = hf.LlavaOnevisionConfig(
        text_config=text_config("qwen2", tokenizer),
        vision_config={
            **SMALL,
            "model_type": "siglip_vision_model",
            "image_size": 64,
            "patch_size": 16,
            "vision_use_head": False,
        },
        image_grid_pinpoints=grid,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
    )
    images = LlavaOnevisionImageProcessorPil(size=SQUARE, image_grid_pinpoints=grid)
    _save(
        folder,
        hf.LlavaOnevisionForConditionalGeneration(config),
        tokenizer,
        images,
        "LlavaOnevisionProcessor",
        "<image>",
        num_image_tokens=16,
        vision_feature_select_strategy="full",
    )


def mistral3(folder: Path) -> None:
    """A Mistral 3: Pixtral's eye, rows of places with a break behind each."""
    special = {"image_token": "[IMG]"}
    marks = ("[IMG]", "[IMG_BREAK]", "[IMG_END]", *_IM)
    tokenizer = bpe(extra=marks, extra_special_tokens=special)
    config = hf.Mistral3Config(
        text_config={**text_config("mistral", tokenizer), "head_dim": 16},
        vision_config={
            **SMALL,
            "model_type": "pixtral",
            "image_size": 64,
            "patch_size": 8,
            "head_dim": 16,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        tie_word_embeddings=False,
    )
    images = PixtralImageProcessorPil(size={"longest_edge": 64}, patch_size=8)
    model = hf.Mistral3ForConditionalGeneration(config)
    more = {"patch_size": 8, "spatial_merge_size": 2}
    _save(folder, model, tokenizer, images, "PixtralProcessor", "[IMG]", **more)


def _qwen_tokenizer() -> Any:
    marks = ("<|vision_start|>", "<|vision_end|>")
    return bpe(extra=(*_QWEN.values(), *marks, *_IM), extra_special_tokens=_QWEN)


def _qwen_marks(tokenizer: Any) -> dict[str, int]:
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    names |= {f"vision_{end}_token_id": f"<|vision_{end}|>" for end in ("start", "end")}
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()}


def _qwen_text(tokenizer: Any) -> dict[str, Any]:
    text = text_config("qwen2", tokenizer)
    del text["model_type"]
    return {**text, "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]}}


def _save_qwen(folder: Path, model: Any, tokenizer: Any, kind: str, *, patch_size: int) -> None:
    images = Qwen2VLImageProcessorPil(
        patch_size=patch_size, size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    )
    picture = "<|vision_start|><|image_pad|><|vision_end|>"
    _save(folder, model, tokenizer, images, kind, picture)


def _save(
    folder: Path,
    model: Any,
    tokenizer: Any,
    images: Any,
    kind: str,
    picture: str,
    **settings: Any,
) -> None:
    """Write a model and its processor's parts, with a chat template that has `picture` in it."""
    # Where random weights end is chance: without an end every answer has its full length.
    model.generation_config = hf.GenerationConfig(pad_token_id=tokenizer.pad_token_id)
    tokenizer.chat_template = _TURNS.format(picture=picture, start=_IM[0], end=_IM[1])
    save(folder, loud(model, *_LOUD), images, tokenizer)
    named = {**settings, "processor_class": kind}
    (folder / "processor_config.json").write_text(json.dumps(named))
