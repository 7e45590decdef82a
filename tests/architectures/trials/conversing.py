"""Tasks of models that read pictures and text together."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import transformers

from .base import Row, Trial
from .pictures import FILES, picture

_TOKENS = 6
_TEXTS = ("what is red", "hello", "a photo of a cat and a dog", "who is ada")


class ImageTextToText(Trial):
    """A user's message of a picture and a text, by the chat template, as models' pages have it; by
    the processor where there is none.
    """

    rows = tuple(
        {"images": [file], "texts": [text]} for file, text in zip(FILES, _TEXTS, strict=True)
    )
    fixed: ClassVar = {"max_new_tokens": _TOKENS}

    def open(self) -> None:
        auto: Any = getattr(transformers, self.auto_class)
        self.processor: Any = transformers.AutoProcessor.from_pretrained(self.folder)
        self.model: Any = auto.from_pretrained(self.folder).eval()

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
        inputs = self._inputs(row)
        made = self.model.generate(**inputs, max_new_tokens=_TOKENS, do_sample=False)[0]
        if not self.model.config.is_encoder_decoder:
            made = made[inputs["input_ids"].shape[1] :]
        return str(self.processor.decode(made, skip_special_tokens=True)).strip()

    def view(self, answer: Any) -> Any:
        return answer["texts"][0]


TRIALS: dict[str, type[Trial]] = {"image-text-to-text": ImageTextToText}
