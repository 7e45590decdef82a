"""What Pixano's providers take and give, as the seed's generation has it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class InferenceTask(StrEnum):
    """What a model can be asked."""

    IMAGE_MASK_GENERATION = "image_mask_generation"
    VIDEO_MASK_GENERATION = "video_mask_generation"
    IMAGE_ZERO_SHOT_DETECTION = "image_zero_shot_detection"
    TEXT_IMAGE_CONDITIONAL_GENERATION = "text_image_conditional_generation"


class ServerInfo(_Model):
    """The server."""

    version: str = "unknown"
    models_loaded: int = 0
    num_gpus: int = 0
    gpu_info: dict[str, Any] = {}
    models: list[str] = []
    models_to_task: dict[str, str] = {}
    ready: bool = False


class ModelConfig(_Model):
    """A model to load."""

    name: str
    task: str
    path: Path | str | None = None
    config: dict[str, Any] = {}
    processor_config: dict[str, Any] = {}


class ModelInfo(_Model):
    """A model, and what it does."""

    name: str
    task: str


class ProviderCapabilities(_Model):
    """What a provider can do."""

    tasks: list[InferenceTask]
    supports_batching: bool = False
    supports_streaming: bool = False
    max_image_size: int | None = None


class NDArray(_Model):
    """Numbers, the last axis fastest."""

    values: list[float]
    shape: list[int]


class CompressedRLE(_Model):
    """A mask as pycocotools encodes it; its size is height, width."""

    size: list[int]
    counts: bytes


class ImageMaskGenerationInput(_Model):
    """An image, and prompts: coordinates are pixels, boxes two corners."""

    image: str
    model: str
    image_embedding: NDArray | None = None
    high_resolution_features: list[NDArray] | None = None
    reset_predictor: bool = True
    points: list[list[list[int]]] | None = None
    labels: list[list[int]] | None = None
    boxes: list[list[int]] | None = None
    num_multimask_outputs: int = 3
    multimask_output: bool = True
    return_image_embedding: bool = False
    mask_input: NDArray | None = None
    return_logits: bool = False


class ImageMaskGenerationOutput(_Model):
    """Masks [prompt][mask], scores (prompts, masks)."""

    masks: list[list[CompressedRLE]]
    scores: NDArray
    image_embedding: NDArray | None = None
    high_resolution_features: list[NDArray] | None = None
    mask_logits: NDArray | None = None


class VideoMaskGenerationInput(_Model):
    """A video's frames, and a prompt for each object."""

    video: list[str]
    model: str
    objects_ids: list[int]
    frame_indexes: list[int]
    points: list[list[list[int]]] | None = None
    labels: list[list[int]] | None = None
    boxes: list[list[int]] | None = None


class VideoMaskGenerationOutput(_Model):
    """Three parallel lists, an entry per object and frame."""

    objects_ids: list[int]
    frame_indexes: list[int]
    masks: list[CompressedRLE]


class ImageZeroShotDetectionInput(_Model):
    """An image, and what to look for."""

    image: str
    model: str
    classes: list[str] | str
    box_threshold: float = 0.5
    text_threshold: float = 0.5


class ImageZeroShotDetectionOutput(_Model):
    """Parallel lists, an entry per object; boxes are two corners in pixels."""

    boxes: list[list[int]]
    scores: list[float]
    classes: list[str]


class TextImageConditionalGenerationInput(_Model):
    """A text, and the images it is about."""

    model: str
    prompt: str | list[dict[str, Any]]
    images: list[str | Path] | None = None
    max_new_tokens: int = 100
    temperature: float = 1.0


class UsageInfo(_Model):
    """Tokens; Wherry counts none and says 0."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class TextImageConditionalGenerationOutput(_Model):
    """The text that was written."""

    generated_text: str
    usage: UsageInfo
    generation_config: dict[str, Any] = {}


class _Result(_Model, Generic[T]):
    """An answer, and when and how it came."""

    data: T
    timestamp: datetime
    processing_time: float = 0.0
    metadata: dict[str, Any]
    id: str = ""
    status: str = "SUCCESS"


class ImageMaskGenerationResult(_Result[ImageMaskGenerationOutput]):
    """Masks of an image."""


class VideoMaskGenerationResult(_Result[VideoMaskGenerationOutput]):
    """Masks of a video."""


class ImageZeroShotDetectionResult(_Result[ImageZeroShotDetectionOutput]):
    """Objects of an image."""


class TextImageConditionalGenerationResult(_Result[TextImageConditionalGenerationOutput]):
    """A text about images."""
