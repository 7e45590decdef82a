"""What is to be embedded, in the forms that clients of OpenAI's route send to several servers.

Texts as OpenAI's own; images as Jina's clients (`{"image": ...}`), Infinity's (`modality: image`)
and vLLM's (`messages` with one part) send them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ....protocol.errors import InvalidRequest
from ....tasks.base import TaskInput
from ....tasks.catalog import ModelDeclaration
from ....tasks.multimodal.multimodal_embedding import MultimodalEmbeddingInput
from ...egress.named_files import NamedFiles
from ...http.documents import text_only
from ...http.media import is_picture_uri, read_media
from .requests import OpenAIRequest

#: A text, or an object that has one or an image.
Part = str | dict[str, Any]

_FORMS = 'expected a text, {"text": ...} or {"image": ...}'


class EmbeddingsRequest(OpenAIRequest):
    """Texts to embed, and images where the model takes them."""

    input: Annotated[str | list[Part], BeforeValidator(text_only), Field(min_length=1)] | None = (
        None
    )
    #: In place of input: what is said in them gets one vector.
    messages: list[dict[str, Any]] | None = Field(default=None, min_length=1)
    #: What the texts of input are; images' are URLs, data URIs or base64.
    modality: Literal["text", "image"] = "text"
    encoding_format: Literal["float", "base64"] = "float"
    #: Infinity's clients say 0 for all.
    dimensions: int | None = Field(default=None, ge=0)
    #: A text that is too long for the model is refused, as by OpenAI, unless this asks for a cut.
    truncate: bool = False

    def task_input(self, model: ModelDeclaration, files: NamedFiles) -> TaskInput:
        """The model's input. Raises InvalidRequest that names the entry."""
        found = [self._of(*named) for named in self._parts().items()]
        task = model.definition.input
        if task is MultimodalEmbeddingInput:
            fields: dict[str, Any] = _fields(found, files)
        else:
            for where, kind, _ in found:
                if kind == "image":
                    raise InvalidRequest(f"{where}: model {model.name!r} embeds texts, no images")
            fields = {"texts": [value for *_, value in found]}
        return task.validated({**fields, "truncate": self.truncate})

    def _parts(self) -> dict[str, object]:
        """What gets a vector each, by where it is. Raises InvalidRequest."""
        if (self.input is None) == (self.messages is None):
            raise InvalidRequest("input: give it, or messages in its place, not both")
        if isinstance(self.input, str):
            return {"input": self.input}
        if self.messages is None:
            return {f"input[{index}]": part for index, part in enumerate(self.input or ())}
        contents = [message.get("content") for message in self.messages]
        parts = [p for c in contents for p in (c if isinstance(c, list) else [c])]
        if len(parts) != 1:
            raise InvalidRequest(
                f"messages: one text or one image gets a vector, got {len(parts)}: send several "
                "requests, or a list as input"
            )
        return {"messages": parts[0]}

    def _of(self, where: str, part: object) -> tuple[str, str, str]:
        """Where it is, whether it is a text or an image, and the text or where the image is."""
        match part:
            case str(text):
                is_image = self.modality == "image" or is_picture_uri(text)
                return where, "image" if is_image else "text", text
            case {"content": [only], **more} if not _named(more):
                return self._of(where, only)
            case {"text": str(text), **more} if not _named(more):
                return where, "text", text
            case (
                {"image": str(image), **more}
                | {"image_url": str(image), **more}
                | {"image_url": {"url": str(image)}, **more}
            ) if not _named(more):
                return where, "image", image
            case {"content": [_, _, *_]} | {"text": _, "image": _} | {"text": _, "image_url": _}:
                raise InvalidRequest(f"{where}: one vector is of a text or of an image: send both")
            case _:
                raise InvalidRequest(f"{where}: {_FORMS}")


def _named(fields: Mapping[Any, object]) -> bool:
    """Whether there is more than what only says what else is there."""
    return bool(fields.keys() - {"type", "role"})


def _fields(found: list[tuple[str, str, str]], files: NamedFiles) -> dict[str, Any]:
    """Images and texts, each empty where a row is the other."""
    images = [
        read_media(value, where, files) if kind == "image" else b"" for where, kind, value in found
    ]
    texts = ["" if kind == "image" else value for _, kind, value in found]
    for (where, kind, _), image in zip(found, images, strict=True):
        if kind == "image" and not image:
            raise InvalidRequest(f"{where}: the image is empty")
    kinds = {kind for _, kind, _ in found}
    given = {"images": images if "image" in kinds else None}
    return {**given, "texts": texts if "text" in kinds else None}
