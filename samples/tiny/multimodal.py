"""Tiny models of images and text together."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import transformers as hf
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.layoutlmv3.image_processing_pil_layoutlmv3 import (
    LayoutLMv3ImageProcessorPil,
)
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from .parts import SMALL, SQUARE, bpe, loud, save, wordpiece

#: Where each message's pictures stand, then its words; a role before, a line's end after.
_CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def vilt(folder: Path) -> None:
    """A ViLT that keeps the aspect ratio, so images of a batch differ in size."""
    tokenizer = wordpiece(max_length=16)
    answers = {0: "yes", 1: "no", 2: "red"}
    config = hf.ViltConfig(
        **SMALL,
        vocab_size=len(tokenizer),
        image_size=64,
        patch_size=16,
        max_position_embeddings=16,
        id2label=answers,
        label2id={name: number for number, name in answers.items()},
    )
    model = loud(hf.ViltForQuestionAnswering(config), "classifier", "patch", "attention")
    sizes: dict[str, Any] = {"size": {"shortest_edge": 64}, "size_divisor": 16}
    image_processor = ViltImageProcessorPil(**sizes)
    processor = hf.ViltProcessor(image_processor=image_processor, tokenizer=tokenizer)
    save(folder, model, processor)


def llava(folder: Path) -> None:
    """A LLaVA: CLIP's eye, Llama's mouth, a chat template between."""
    roles = ("<|user|>", "<|assistant|>", "<|system|>")
    tokenizer = bpe(extra=("<image>", *roles), extra_special_tokens={"image_token": "<image>"})
    tokenizer.chat_template = _CHAT
    text = hf.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        **_ids(tokenizer),
    )
    config = hf.LlavaConfig(
        text_config=text,
        vision_config=hf.CLIPVisionConfig(**SMALL, image_size=64, patch_size=16),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_feature_layer=-1,
    )
    model = loud(hf.LlavaForConditionalGeneration(config), "projector", "lm_head", "self_attn")
    # Random pictures end in a random place: without an end every answer has its full length.
    model.generation_config = hf.GenerationConfig(pad_token_id=tokenizer.pad_token_id)
    processor = hf.LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size=SQUARE),
        tokenizer=tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        chat_template=_CHAT,
        num_additional_image_tokens=1,
    )
    save(folder, model, processor)


def captioner(folder: Path) -> None:
    """A ViT that looks and a GPT-2 that writes."""
    tokenizer = bpe()
    decoder = hf.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=64,
        **_ids(tokenizer),
    )
    save(folder, _encoder_decoder(decoder, tokenizer), ViTImageProcessorPil(size=SQUARE), tokenizer)


def trocr(folder: Path) -> None:
    """A TrOCR: a ViT that looks and a decoder that spells."""
    tokenizer = bpe()
    decoder = hf.TrOCRConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=64,
        max_position_embeddings=64,
        cross_attention_hidden_size=32,
        **_ids(tokenizer),
    )
    model = _encoder_decoder(decoder, tokenizer)
    processor = hf.TrOCRProcessor(
        image_processor=ViTImageProcessorPil(size=SQUARE), tokenizer=tokenizer
    )
    save(folder, model, processor)


def layoutlm(folder: Path) -> None:
    """A LayoutLM that answers questions on pages of a few dozen words at a time."""
    tokenizer = wordpiece(max_length=64)
    config = hf.LayoutLMConfig(
        **SMALL,
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        max_2d_position_embeddings=1024,
    )
    save(
        folder, loud(hf.LayoutLMForQuestionAnswering(config), "qa_outputs", "embeddings"), tokenizer
    )


def layoutlmv3(folder: Path) -> None:
    """A LayoutLMv3, which looks at a page and reads its words."""
    trained = bpe(max_length=64)
    vocabulary, merges = _byte_pairs(trained)
    tokenizer: Any = hf.LayoutLMv3Tokenizer(
        vocab=vocabulary, merges=merges, model_max_length=64, add_prefix_space=True
    )
    sizes = {"coordinate_size": 4, "shape_size": 8, "input_size": 32, "patch_size": 16}
    config = hf.LayoutLMv3Config(
        **SMALL,
        **sizes,
        vocab_size=len(tokenizer),
        max_position_embeddings=64 + tokenizer.pad_token_id + 1,
        max_2d_position_embeddings=1024,
        **_ids(tokenizer),
    )
    model = loud(hf.LayoutLMv3ForQuestionAnswering(config), "qa_outputs", "embeddings", "patch")
    size = {"height": 32, "width": 32}
    save(folder, model, tokenizer, LayoutLMv3ImageProcessorPil(size=size, apply_ocr=False))


def stable_diffusion(folder: Path) -> None:
    """A Stable Diffusion of pictures of 32 x 32 pixels."""
    diffusers: Any = importlib.import_module("diffusers")  # an extra of its own
    tokenizer = _clip_tokenizer()
    text_encoder = hf.CLIPTextModel(
        hf.CLIPTextConfig(
            **SMALL,
            vocab_size=len(tokenizer),
            max_position_embeddings=32,
            projection_dim=32,
            **_ids(tokenizer),
        )
    )
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(16, 32),
        layers_per_block=1,
        sample_size=16,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 16),
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        latent_channels=4,
    )
    diffusers.StableDiffusionPipeline(
        vae=vae,
        text_encoder=loud(text_encoder, "embedding"),
        tokenizer=tokenizer,
        unet=loud(unet, "attn2"),
        scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def _ids(tokenizer: Any) -> dict[str, Any]:
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    return {name: getattr(tokenizer, name) for name in names}


def _encoder_decoder(decoder: Any, tokenizer: Any) -> Any:
    """A ViT before a decoder that never ends by itself: where random weights end is chance."""
    encoder = hf.ViTConfig(**SMALL, image_size=64, patch_size=16)
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id = tokenizer.bos_token_id
    config.pad_token_id = tokenizer.pad_token_id
    model = hf.VisionEncoderDecoderModel(config)
    model.generation_config = hf.GenerationConfig(
        decoder_start_token_id=tokenizer.bos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return loud(model, "crossattention", "encoder_attn", "embed", "output_projection", "wte")


def _clip_tokenizer() -> Any:
    end = "<|endoftext|>"
    trained = bpe(bos="<|startoftext|>", eos=end, pad=end, unk=end, max_length=32)
    vocabulary, merges = _byte_pairs(trained)
    return hf.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=32)


def _byte_pairs(trained: Any) -> tuple[dict[str, int], Any]:
    """The vocabulary of a byte-level tokenizer, and its merges."""
    model = json.loads(trained.backend_tokenizer.to_str())["model"]
    merges: Any = [
        tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]
    ]
    return model["vocab"], merges
