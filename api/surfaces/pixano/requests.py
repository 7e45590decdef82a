"""What Pixano's clients ask, read into the tasks' inputs.

One model reads every generation: keys in snake_case (up to 0.7.x) or camelCase (`/v1`). What a
client always sends and has no meaning here is passed over: `reset_predictor`, `text_threshold`, and
the features of an `image_embedding`, which only spare the server work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from ....protocol.errors import InvalidRequest
from ....protocol.first_fault import FirstFault
from ....tasks.base import TaskInput
from ....tasks.catalog import ModelDeclaration
from ....tasks.tensors import Grid
from ....tasks.vision.object_detection import ObjectDetectionInput
from ...egress.named_files import NamedFiles
from ...http.media import read_media
from .arrays import grids_of, name_in, read_array

#: Tokens to write where a client leaves that open: the seed's own default.
_MAX_NEW_TOKENS = 100
#: The temperature that every client sends unless told otherwise; Pixano's Transformers models
#: take the likeliest token all the same.
_UNSAID_TEMPERATURE = 1.0

#: Masks of one prompt, from part to whole, as Segment Anything gives them.
MASKS = 3

File = str | bytes


class TaskRequest(NamedTuple):
    """A task's input, and what its answer has to be read with, which the answer does not tell.

    Masks per prompt, 0 for all that were found; the number of a video's first frame; 1 for vectors
    of length 1.
    """

    input: TaskInput
    number: int = 0


class Ask(FirstFault, ABC):
    """A request; fields that it does not know are passed over."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )

    #: The field that a form's files fill, and the name of their parts; "" where none can.
    FORM: ClassVar[tuple[str, str]] = ("", "")

    model: str

    @abstractmethod
    def task_request(self, model: ModelDeclaration, files: NamedFiles) -> TaskRequest:
        """The input of the model's task. Raises InvalidRequest that names the field."""


class SegmentationAsk(Ask):
    """Masks of an image: those of prompts, or of all objects."""

    FORM: ClassVar[tuple[str, str]] = ("image", "image")

    image: File
    points: list[list[list[float]]] | None = None
    labels: list[list[int]] | None = None
    boxes: list[list[float]] | None = None
    mask_input: Any = None
    image_embedding: Any = None
    return_image_embedding: bool = False
    return_logits: bool = False
    num_multimask_outputs: int = MASKS
    multimask_output: bool = True

    def task_request(self, model: ModelDeclaration, files: NamedFiles) -> TaskRequest:
        """One row of mask-generation."""
        if self.multimask_output and self.num_multimask_outputs != MASKS:
            raise InvalidRequest(
                f"num_multimask_outputs: {MASKS}, or set multimask_output to false for one"
            )
        prompted = self.points or self.boxes
        fields = {
            "images": [self._image(name := self._name(), files)],
            **prompts_of(self.points, self.labels, self.boxes),
            **({"image_embeddings": [name]} if name else {}),
            **({"mask_inputs": [self._masks(len(prompted or ()))]} if self.mask_input else {}),
            "multimask_output": self.multimask_output,
            # Of all objects there is neither, and a client that asks is not to be refused.
            "return_logits": self.return_logits and bool(prompted),
            "return_image_embedding": self.return_image_embedding and bool(prompted),
        }
        number = (MASKS if self.multimask_output else 1) if prompted else 0
        return TaskRequest(model.definition.input.validated(fields), number)

    def _name(self) -> str:
        """What the worker is to keep of the image; "" for an embedding that is none of ours."""
        if self.image_embedding is None:
            return ""
        return name_in(read_array(self.image_embedding, "image_embedding"))

    def _image(self, name: str, files: NamedFiles) -> bytes:
        """The image, which may be empty beside the name of what is kept of it."""
        return b"" if name and not self.image else file_of(self.image, "image", files)

    def _masks(self, prompts: int) -> list[Grid]:
        return grids_of(read_array(self.mask_input, "mask_input"), prompts, "mask_input")


class DetectionAsk(Ask):
    """Objects of an image: named ones, or those that the model knows."""

    FORM: ClassVar[tuple[str, str]] = ("image", "image")

    image: File
    classes: list[str] | str | None = None
    box_threshold: float = 0.5

    def task_request(self, model: ModelDeclaration, files: NamedFiles) -> TaskRequest:
        """One row of zero-shot-object-detection, or of object-detection."""
        fields: dict[str, Any] = {
            "images": [file_of(self.image, "image", files)],
            "threshold": self.box_threshold,
        }
        wanted = _classes(self.classes)
        task = model.definition.input
        if task is ObjectDetectionInput:
            if wanted:
                raise InvalidRequest(
                    f"classes: model {model.name!r} has classes of its own; leave them out"
                )
            return TaskRequest(task.validated(fields))
        if not wanted:
            raise InvalidRequest(f"classes: model {model.name!r} needs some to look for")
        return TaskRequest(task.validated({**fields, "candidate_labels": wanted}))


class VlmAsk(Ask):
    """A text about an image."""

    prompt: str | list[dict[str, Any]]
    images: list[File] | None = None
    max_new_tokens: int | None = None
    temperature: float | None = None

    def task_request(self, model: ModelDeclaration, files: NamedFiles) -> TaskRequest:
        """One row of image-text-to-text. Only a temperature that was chosen draws tokens."""
        text, inside = (
            (self.prompt, []) if isinstance(self.prompt, str) else _user_message(self.prompt)
        )
        images = [*(self.images or []), *inside]
        if len(images) != 1:
            raise InvalidRequest(f"images: one is to be given, got {len(images)}")
        chosen = self.temperature not in (None, 0.0, _UNSAID_TEMPERATURE)
        fields = {
            "images": [file_of(images[0], "images.0", files)],
            "texts": [text],
            "max_new_tokens": _MAX_NEW_TOKENS
            if self.max_new_tokens is None
            else self.max_new_tokens,
            **({"do_sample": True, "temperature": self.temperature} if chosen else {}),
        }
        return TaskRequest(model.definition.input.validated(fields))


class EmbeddingAsk(Ask):
    """Vectors of images, or of texts."""

    image: list[File] | File | None = None
    text: list[str] | str | None = None
    normalize: bool = True

    def task_request(self, model: ModelDeclaration, files: NamedFiles) -> TaskRequest:
        """Rows of whichever task the model does: of images, of texts, or of either."""
        if (self.image is None) == (self.text is None):
            raise InvalidRequest("image, text: give one of the two")
        task = model.definition.input
        if self.image is not None and "images" not in task.ROWS:
            raise InvalidRequest(f"image: model {model.name!r} embeds texts")
        if self.text is not None and "texts" not in task.ROWS:
            raise InvalidRequest(f"text: model {model.name!r} embeds images")
        fields: dict[str, Any] = {}
        if self.image is not None:
            images = self.image if isinstance(self.image, list) else [self.image]
            fields["images"] = [file_of(one, f"image.{i}", files) for i, one in enumerate(images)]
        else:
            fields["texts"] = self.text if isinstance(self.text, list) else [self.text]
        if "normalize" in task.model_fields:
            fields["normalize"] = self.normalize
        return TaskRequest(task.validated(fields), int(self.normalize))


class NerAsk(Ask):
    """Names in a text."""

    text: str

    def task_request(self, model: ModelDeclaration, files: NamedFiles) -> TaskRequest:  # noqa: ARG002 # has none
        """One row of token-classification, tokens of one name joined."""
        fields = {"texts": [self.text], "aggregation_strategy": "simple"}
        return TaskRequest(model.definition.input.validated(fields))


def file_of(given: File, field: str, files: NamedFiles) -> bytes:
    """A file's bytes. Raises InvalidRequest that names the field."""
    return given if isinstance(given, bytes) else read_media(given, field, files)


def prompts_of(
    points: list[list[list[float]]] | None,
    labels: list[list[int]] | None,
    boxes: list[list[float]] | None,
) -> dict[str, Any]:
    """One row's prompts as fields of a task."""
    given = {"points": points, "labels": labels, "boxes": boxes}
    return {name: [value] for name, value in given.items() if value is not None}


def _classes(given: list[str] | str | None) -> list[str]:
    """Classes as a list; Grounding DINO's clients write one text (`cat. dog.`)."""
    parts = given.split(".") if isinstance(given, str) else given or []
    return [stripped for part in parts if (stripped := part.strip())]


def _user_message(messages: list[dict[str, Any]]) -> tuple[str, list[File]]:
    """The text and the images of a chat's one turn. Raises InvalidRequest."""
    if len(messages) != 1 or messages[0].get("role") != "user":
        raise InvalidRequest("prompt: one message, the user's, is taken; or a text")
    content = messages[0].get("content")
    if isinstance(content, str):
        return content, []
    texts: list[str] = []
    images: list[File] = []
    for number, part in enumerate(content if isinstance(content, list) else [None]):
        where = f"prompt.0.content.{number}"
        match part:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
            case {"type": "image_url", "image_url": {"url": str(image)}}:
                images.append(image)
            case {"type": "image" | "image_url", "image": str(image)}:
                images.append(image)
            case {"type": "image_url", "image_url": str(image)}:
                images.append(image)
            case {"type": "image"}:
                pass  # a place holder for one of `images`
            case _:
                raise InvalidRequest(f"{where}: expected a text or an image")
    return "\n".join(texts), images
