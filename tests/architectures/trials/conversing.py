"""Tasks of models that read pictures and text together."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import transformers

from wherry.tasks.backends.transformers.processors import load_processor

from ...support.asking import ASKED, TOKENS
from .base import Row, Trial
from .pictures import FILES, picture

_TEXTS = ("what is red", "hello", "a photo of a cat and a dog", "who is ada")


_TASKS = ("<OD>", "<CAPTION>", "<CAPTION_TO_PHRASE_GROUNDING>a cat", "who is ada")


class ImageTextToText(Trial):
    """A user's message of a picture and a text, by the chat template, as models' pages have it;
    else each kind's own call, or the processor's of both.

    Where torchvision is missing transformers makes no processor that could read videos, too: it is
    the one for still pictures, which tests/tasks/backends/multimodal/test_processors.py compares
    with its parts.
    """

    rows = tuple(
        {"images": [file], "texts": [text]} for file, text in zip(FILES, _TEXTS, strict=True)
    )
    fixed: ClassVar = {"max_new_tokens": TOKENS}

    def open(self) -> None:
        auto: Any = getattr(transformers, self.auto_class)
        self.model: Any = auto.from_pretrained(self.folder).eval()
        self.processor = load_processor(self.folder, config=self.model.config)
        if self.model.config.model_type == "florence2":  # which is asked by the names of tasks
            self.rows = tuple(
                {**row, "texts": [name]} for row, name in zip(self.rows, _TASKS, strict=True)
            )

    def _inputs(self, row: Row) -> Any:
        image, text = picture(row), row["texts"][0]
        if not getattr(self.processor, "chat_template", None):
            return self.processor(images=image, text=text, return_tensors="pt")
        content = [{"type": "image", "image": image}, {"type": "text", "text": text}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        ask = ASKED.get(self.model.config.model_type)
        if ask and not getattr(self.processor, "chat_template", None):
            return ask(self.model, self.processor, picture(row), row["texts"][0]).strip()
        inputs = self._inputs(row)
        made = self.model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)[0]
        if not self.model.config.is_encoder_decoder:
            made = made[inputs["input_ids"].shape[1] :]
        return str(self.processor.decode(made, skip_special_tokens=True)).strip()

    def view(self, answer: Any) -> Any:
        return answer["texts"][0]


_NOISE = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)


class AudioTextToText(ImageTextToText):
    """A user's message of a sound and a text, in the order of the model's page."""

    rows = tuple(
        {"audio": [_NOISE[:length].tobytes()], "texts": [text]}
        for length, text in zip((16_000, 5_000, 40_000, 16_000), _TEXTS, strict=True)
    )
    fixed: ClassVar = {"max_new_tokens": TOKENS, "sample_rate": 16_000}

    def _inputs(self, row: Row) -> Any:
        sound = np.frombuffer(row["audio"][0], np.float32)
        content = [{"type": "audio", "audio": sound}, {"type": "text", "text": row["texts"][0]}]
        if "flamingo" in self.model.config.model_type:
            content.reverse()
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )


TRIALS: dict[str, type[Trial]] = {
    "audio-text-to-text": AudioTextToText,
    "image-text-to-text": ImageTextToText,
}
