"""The models of `make bench-gpu`: at their real sizes with random weights, or tiny."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers as hf

from wherry.samples import packaged
from wherry.samples.tiny import build
from wherry.tasks.base import TaskInput
from wherry.tasks.registry import get_task

from . import vit

_TOKENS = 32
_TEXT = "the quick brown fox jumps over the lazy dog and a red car"


@dataclass(frozen=True, slots=True)
class GpuModel:
    """A model to measure: its name, its task, what writes it at its real size, and its batch."""

    name: str
    task: str
    write: Callable[[Path], Path]
    batch: int
    #: Whether it writes tokens, so many a row.
    writes: bool = False

    def folder(self, folder: Path, *, tiny: bool) -> Path:
        """Its folder below another."""
        place = folder / self.name
        return build(self.task, place) if tiny else self.write(place)

    def rows(self, count: int) -> list[TaskInput]:
        """Rows to answer: photographs, sentences, or the task's example."""
        task = get_task(self.task)
        example, taken = task.example.input.rows()[0], task.input.model_fields
        more: dict[str, Any] = {}
        if self.writes and "max_new_tokens" in taken:
            more = {"max_new_tokens": _TOKENS}
        if "images" in taken:
            return [task.input.validated({"images": [one]}) for one in vit.photographs(count)]
        if "texts" in taken:
            texts = [_TEXT[: 16 + number % 48] * 3 for number in range(count)]
            return [task.input.validated({"texts": [text], **more}) for text in texts]
        return [example.model_copy(update=more)] * count


def _vit(folder: Path) -> Path:
    hf.ViTForImageClassification(hf.ViTConfig()).save_pretrained(folder)
    hf.ViTImageProcessor().save_pretrained(folder)
    return folder


def _detector(folder: Path) -> Path:
    """YOLOS at the size of its small one."""
    config = hf.YolosConfig(
        hidden_size=384, num_attention_heads=6, intermediate_size=1536, num_hidden_layers=12
    )
    hf.YolosForObjectDetection(config).save_pretrained(folder)
    small = build("object-detection", folder.with_name("detector-tiny"))
    shutil.copy(small / "preprocessor_config.json", folder)
    return folder


def _resized(task: str, kind: str, **sizes: int) -> Callable[[Path], Path]:
    """The tiny model of a task, at another size: its tokenizer stays."""

    def write(folder: Path) -> Path:
        build(task, folder)
        config = hf.AutoConfig.from_pretrained(folder)
        config.update(sizes)
        getattr(hf, kind)(config).save_pretrained(folder)
        return folder

    return write


def _smollm2(folder: Path) -> Path:
    return packaged.build("smollm2-135m-instruct", folder)


MODELS = (
    GpuModel("vit-b16", "image-classification", _vit, 64),
    GpuModel("yolos-s", "object-detection", _detector, 16),
    GpuModel(
        "minilm",
        "embedding",
        _resized(
            "embedding",
            "BertModel",
            hidden_size=384,
            num_hidden_layers=6,
            num_attention_heads=12,
            intermediate_size=1536,
            max_position_embeddings=512,
        ),
        64,
    ),
    GpuModel("smollm2", "text-generation", _smollm2, 32, writes=True),
    GpuModel(
        "whisper-tiny",
        "automatic-speech-recognition",
        _resized(
            "automatic-speech-recognition",
            "WhisperForConditionalGeneration",
            d_model=384,
            encoder_layers=4,
            decoder_layers=4,
            encoder_attention_heads=6,
            decoder_attention_heads=6,
            encoder_ffn_dim=1536,
            decoder_ffn_dim=1536,
        ),
        16,
        writes=True,
    ),
)
