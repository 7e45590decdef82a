"""Image processors of small pictures."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import transformers
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

from wherry.samples.tiny.parts import bpe

from .odd_sizes import GRID
from .sizes import EDGE

#: Types that share another's processor, as their documentation says.
_SHARED = {
    "d_fine": "rt_detr",
    "dab-detr": "conditional_detr",
    "dinov2_with_registers": "dinov2",
    "dinov3_convnext": "dinov3_vit",
    "edgetam_video": "sam2",
    "glm4v_moe": "glm4v",
    "glm_ocr": "glm46v",
    "hgnet_v2": "rt_detr",
    "mlcd_vision_model": "clip",
    "qwen3_vl_moe": "qwen3_vl",
    "rt_detr_v2": "rt_detr",
    "siglip_vision_model": "siglip",
}
_SQUARE = {"height": EDGE, "width": EDGE}
_PADDED = {"size": {"shortest_edge": EDGE, "longest_edge": EDGE}, "do_pad": True}
#: Settings of some types' processors.
_SIZES: dict[str, dict[str, Any]] = {
    "imagegpt": {"size": {"height": 16, "width": 16}},  # a token a pixel
    "lw_detr": {"size": _SQUARE},
    **{
        kind: {"image_grid_pinpoints": GRID}
        for kind in ("llava_next", "llava_next_video", "granite4_vision")
    },
    **dict.fromkeys(("eomt", "eomt_dinov3"), _PADDED),
}


def image_processor(kind: str) -> Any:
    """A type's image processor, of those that need no torchvision. Raises ImportError."""
    named = IMAGE_PROCESSOR_MAPPING_NAMES.get(_SHARED.get(kind, kind)) or {"pil": "ViT"}
    if "pil" not in named:
        raise ImportError(f"{kind} needs torchvision")
    name = named["pil"] if named["pil"] != "ViT" else "ViTImageProcessorPil"
    cls = getattr(transformers, name)
    plain = cls().to_dict()
    sizes = {
        field: small
        for field in ("size", "crop_size", "pad_size")
        if (small := _small(plain.get(field)))
    }
    takes = inspect.signature(cls.__init__).parameters
    if "num_labels" in takes:
        sizes["num_labels"] = 3
    if plain.get("patch_size") == 14:
        sizes["patch_size"] = 16
    if "clusters" in takes:
        sizes["clusters"] = np.random.default_rng(0).uniform(-1, 1, (31, 3))
    return cls(**{**sizes, **_SIZES.get(kind, {})})


def _small(size: Any) -> Any:
    """A size of the same form; None for none, and for what is no size of pixels."""
    if not isinstance(size, dict):
        return None
    known = {key: edge for key, edge in size.items() if edge}
    if {*known} == {"height", "width"}:
        return _SQUARE
    is_square = known.get("shortest_edge") == known.get("longest_edge")
    small = {"shortest_edge": EDGE, "longest_edge": EDGE if is_square else EDGE + EDGE // 2}
    return {key: small[key] for key in known if key in small} or None


#: How many marks a processor of pictures and text writes for a picture of EDGE pixels.
SEEING: dict[str, Any] = {
    "patch_size": 16,
    "image_seq_length": (EDGE // 16) ** 2,
    "num_image_tokens": (EDGE // 16) ** 2,
    "vision_feature_select_strategy": "default",
    "num_additional_image_tokens": 1,
}

#: What some types' processors are told otherwise.
SEEING_OF: dict[str, dict[str, Any]] = {
    "aria": {"size_conversion": {"490": 8, "980": 16}},
    "granite_docling": {"image_seq_len": 1},
    "idefics3": {"image_seq_len": 121},
}
#: Processors that transformers does not list for these types.
PROCESSORS: dict[str, str] = {
    "cosmos3_omni": "Qwen3VLProcessor",
    "glm_ocr": "Glm46VProcessor",
    "glmga": "Glm46VProcessor",
    "kosmos-2.5": "Kosmos2_5Processor",
}

_MARKS = {
    "image_token": "<image>",
    "video_token": "<video>",
    "audio_token": "<audio>",
    "boi_token": "<boi>",
    "eoi_token": "<eoi>",
    "image_boundary_token": "<edge>",
    "image_break_token": "<break>",
    "image_end_token": "<end>",
    "image_start_token": "<start>",
    "start_image_token": "<begin>",
    "end_image_token": "<finish>",
    "context_image_token": "<context>",
    "slice_start_token": "<slice>",
    "slice_end_token": "</slice>",
    "image_id_start_token": "<image_id>",
    "image_id_end_token": "</image_id>",
    "boa_token": "<boa>",
    "eoa_token": "<eoa>",
}
#: The mark of a picture that some types' processors have in their code.
_OWN_MARKS = {"cohere_compass": "<|IMAGE_PAD|>", "mistral_large4": "[IMG]"}
#: What their processors write about a picture.
_BESIDE: dict[str, tuple[str, ...]] = {
    "idefics3": (
        *("<fake_token_around_image>", "<global-img>", "<end_of_utterance>"),
        *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
    ),
    "mistral_large4": ("[IMG_BREAK]", "[IMG_END]"),
}
#: Types whose template writes another mark where a picture is.
_BEGINS = frozenset({"gemma3", "shieldgemma2", "t5gemma2"})
#: Those that take another token's.
_NAMED = {"qianfan_ocr": "context_image_token"}
_CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def seeing_tokenizer(kind: str) -> Any:
    """A tokenizer that marks where pictures are."""
    roles = ("<|user|>", "<|assistant|>", "<|system|>")
    marks = {**_MARKS, "image_token": _OWN_MARKS.get(kind, _MARKS["image_token"])}
    extra = (*marks.values(), *roles, *_BESIDE.get(kind, ()))
    made = bpe(extra=extra, extra_special_tokens=marks, max_length=4096)
    mark = marks["boi_token" if kind in _BEGINS else _NAMED.get(kind, "image_token")]
    if kind == "hunyuan_vl":
        mark = f"{marks['image_start_token']}{mark}{marks['image_end_token']}"
    made.chat_template = _CHAT.replace("<image>", mark)
    made.model_input_names = ["input_ids", "attention_mask"]
    return made


def marks_of(tokenizer: Any) -> dict[str, Any]:
    """The marks' numbers, as configs name them."""
    marks = {**_MARKS, "image_token": tokenizer.image_token}
    numbers = {name: tokenizer.convert_tokens_to_ids(mark) for name, mark in marks.items()}
    return {f"{name}_{end}": number for name, number in numbers.items() for end in ("id", "index")}
