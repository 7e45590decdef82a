"""Image processors of small pictures."""

from __future__ import annotations

import inspect
from typing import Any

import transformers
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

from wherry.samples.tiny.parts import bpe

from .sizes import EDGE

#: Types that share another's processor, as their documentation says.
_SHARED = {
    "d_fine": "rt_detr",
    "dab-detr": "conditional_detr",
    "dinov2_with_registers": "dinov2",
    "dinov3_convnext": "dinov3_vit",
    "edgetam_video": "sam2",
    "hgnet_v2": "rt_detr",
    "mlcd_vision_model": "clip",
    "rt_detr_v2": "rt_detr",
    "siglip_vision_model": "siglip",
}
_SQUARE = {"height": EDGE, "width": EDGE}


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
    return cls(**sizes)


def _small(size: Any) -> Any:
    """A size of the same form; None for none, and for what is no size of pixels."""
    if not isinstance(size, dict):
        return None
    known = {key: edge for key, edge in size.items() if edge}
    if {*known} == {"height", "width"}:
        return _SQUARE
    small = {"shortest_edge": EDGE, "longest_edge": EDGE + EDGE // 2}
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
SEEING_OF: dict[str, dict[str, Any]] = {}
#: Processors that transformers does not list for these types.
PROCESSORS: dict[str, str] = {}

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
}
#: Types whose template writes another mark where a picture is.
_BEGINS = frozenset({"gemma3", "shieldgemma2", "t5gemma2"})
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
    made = bpe(extra=(*_MARKS.values(), *roles), extra_special_tokens=_MARKS, max_length=4096)
    mark = "boi_token" if kind in _BEGINS else "image_token"
    made.chat_template = _CHAT.replace("<image>", _MARKS[mark])
    made.model_input_names = ["input_ids", "attention_mask"]
    return made


def marks_of(tokenizer: Any) -> dict[str, Any]:
    """The marks' numbers, as configs name them."""
    numbers = {name: tokenizer.convert_tokens_to_ids(mark) for name, mark in _MARKS.items()}
    return {f"{name}_{end}": number for name, number in numbers.items() for end in ("id", "index")}
