"""How each kind of model is asked about a picture, and how its answer is read.

Models that have a chat template are sent a user's message. Others were taught a form of their own,
as their pages in transformers' documentation have it.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import torch
from PIL import Image

from ...base import ModelRefused
from ...sizes import Size
from ..generation.generate import Completion

#: Florence-2's words for what it is to do: `<OD>`, or `<OPEN_VOCABULARY_DETECTION>a red car`.
_FLORENCE_TASK = re.compile(r"<[A-Z_]+>")


class Asker:
    """A chat's message; without a template the mark of a picture, and the text below it."""

    #: Tensors of tokens that rows of other lengths are padded in, on that side.
    padded: tuple[str, ...] = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
    side: Literal["left", "right"] = "left"
    #: Tensors of the processor that are for training.
    unused: tuple[str, ...] = ()

    def __init__(self, processor: Any, source: str) -> None:  # noqa: ARG002 # who refuses, names it
        self.processor = processor
        #: What stands for a picture in a text: were there more, the model would look for more.
        self.mark = str(getattr(processor, "image_token", None) or "")

    def encode(self, image: Image.Image, text: str) -> dict[str, torch.Tensor]:
        """A row as the model takes it, (1, ...) each. Raises ValueError for what it refuses."""
        made = self.process(image, text.replace(self.mark, "") if self.mark else text)
        return {name: tensor for name, tensor in made.items() if name not in self.unused}

    def process(self, image: Image.Image, text: str) -> dict[str, Any]:
        """The tensors of a picture and what is said of it."""
        prompt = self.prompt(text)
        start = self.processor.tokenizer.bos_token
        # Many templates write the token that starts a text themselves.
        more = {"add_special_tokens": False} if start and prompt.startswith(start) else {}
        return dict(self.processor(images=[image], text=[prompt], return_tensors="pt", **more))

    def prompt(self, text: str) -> str:
        """What the processor is given as text."""
        if not getattr(self.processor, "chat_template", None):
            return f"{self.mark}\n{text}" if self.mark else text
        content = [{"type": "image"}, {"type": "text", "text": text}]
        prompt: str = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return prompt

    def answer(self, written: Completion, text: str, image: Size) -> str:  # noqa: ARG002 # some read more
        """What the model said, to a text about a picture of that size."""
        return written.text.strip()


class TextAlone(Asker):
    """The text as it is: the processor of BLIP, BLIP-2 or InstructBLIP sees to the picture."""

    unused = ("token_type_ids",)

    def prompt(self, text: str) -> str:
        """Nothing but the text."""
        return text

    def process(self, image: Image.Image, text: str) -> dict[str, Any]:
        """The processor's tensors of both."""
        return dict(self.processor(images=[image], text=[text], return_tensors="pt"))


class Florence(TextAlone):
    """Tasks by name; places are answered as JSON, in pixels of the picture."""

    side = "right"

    def answer(self, written: Completion, text: str, image: Size) -> str:
        """A text, or the places that it tells of."""
        named = _FLORENCE_TASK.match(text)
        whole = self.processor.tokenizer.decode(written.ids, skip_special_tokens=False)
        task = named[0] if named else text
        made = self.processor.post_process_generation(
            whole.replace("<pad>", ""), task=task, image_size=image
        )[task]
        return made if isinstance(made, str) else json.dumps(made)


class PaliGemma(Asker):
    """The mark right before the text."""

    unused = ("labels",)

    def process(self, image: Image.Image, text: str) -> dict[str, Any]:
        """The processor's arrays of both."""
        # As arrays: it reads its own tokens as such, for labels, which numpy warns of with tensors.
        made = self.processor(images=[image], text=[f"{self.mark}{text}"], return_tensors="np")
        return {name: torch.from_numpy(values) for name, values in made.items()}


class Git(Asker):
    """The text behind the token of a class, open at its end."""

    def process(self, image: Image.Image, text: str) -> dict[str, Any]:
        """Tokens by the tokenizer, pixels by the image processor."""
        tokenizer = self.processor.tokenizer
        if tokenizer.cls_token_id is None:  # found out as the model loads
            raise ModelRefused(
                "the tokenizer has no class token, and a GIT's text stands behind it"
            )
        ids = torch.tensor(
            [[tokenizer.cls_token_id, *tokenizer(text, add_special_tokens=False).input_ids]]
        )
        pixels = self.processor(images=[image], return_tensors="pt")["pixel_values"]
        return {"pixel_values": pixels, "input_ids": ids, "attention_mask": torch.ones_like(ids)}


class Kosmos(TextAlone):
    """The text, whose answer is JSON where `<grounding>` asks for the places of what it names."""

    padded = (*Asker.padded, "image_embeds_position_mask")

    def __init__(self, processor: Any, source: str) -> None:
        super().__init__(processor, source)
        self.mark = processor.boi_token

    def answer(self, written: Completion, text: str, image: Size) -> str:
        """A text, or what it names and where that is."""
        if "<grounding>" not in text:
            return super().answer(written, text, image)
        said = self.processor.tokenizer.decode(written.ids, skip_special_tokens=True)
        told, entities = self.processor.post_process_generation(f"{text.strip()}{said}")
        found = [
            {"text": name, "start": span[0], "end": span[1], "boxes": boxes}
            for name, span, boxes in entities
        ]
        return json.dumps({"text": told, "entities": found})


class Pix2Struct(TextAlone):
    """The text starts what the model writes."""

    padded = ()  # places of what is written are counted from the first token

    def __init__(self, processor: Any, source: str) -> None:
        super().__init__(processor, source)
        if processor.image_processor.is_vqa:
            raise ModelRefused(
                f"{source}: a pix2struct that is asked questions draws them into the picture with "
                "a font from a hub, which is not fetched; serve one that captions"
            )


class Donut(Asker):
    """The text starts what the model writes; fields are answered as JSON."""

    padded = ()

    def process(self, image: Image.Image, text: str) -> dict[str, Any]:
        """Pixels, and the start as its documentation has it."""
        made = dict(self.processor.image_processor(images=[image], return_tensors="pt"))
        tokenizer = self.processor.tokenizer
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        if ids.shape[1]:
            made["decoder_input_ids"] = ids.long()
        return made

    def answer(self, written: Completion, text: str, image: Size) -> str:
        """Fields by their names; a text where there are none."""
        tokenizer = self.processor.tokenizer
        whole = text + tokenizer.decode(written.ids, skip_special_tokens=False)
        for ending in (tokenizer.eos_token, tokenizer.pad_token):
            whole = whole.replace(ending or "", "")
        # The first token names the task.
        found = self.processor.token2json(re.sub(r"<.*?>", "", whole, count=1).strip())
        if {*found} == {"text_sequence"}:
            return super().answer(written, text, image)
        return json.dumps(found)


_ASKERS: dict[str, type[Asker]] = {
    "blip": TextAlone,
    "blip-2": TextAlone,
    "florence2": Florence,
    "git": Git,
    "instructblip": TextAlone,
    "kosmos-2": Kosmos,
    "paligemma": PaliGemma,
    "pix2struct": Pix2Struct,
    "vision-encoder-decoder": Donut,
}


def asker_of(model_type: str, processor: Any, source: str) -> Asker:
    """How a model of that type is asked. Raises ModelRefused where it cannot be."""
    kind = Asker if getattr(processor, "chat_template", None) else _ASKERS.get(model_type, Asker)
    return kind(processor, source)
