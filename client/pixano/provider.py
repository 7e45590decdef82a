"""The interface of Pixano's inference providers, as the seed's generation prints it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .errors import TaskNotSupportedError
from .types import (
    ImageMaskGenerationInput,
    ImageMaskGenerationResult,
    ImageZeroShotDetectionInput,
    ImageZeroShotDetectionResult,
    InferenceTask,
    ModelConfig,
    ModelInfo,
    ProviderCapabilities,
    ServerInfo,
    TextImageConditionalGenerationInput,
    TextImageConditionalGenerationResult,
    VideoMaskGenerationInput,
    VideoMaskGenerationResult,
)

_NOT_OURS = "Model deployment is managed by the server administrator"


class InferenceProvider(ABC):
    """What Pixano asks of a backend; timeouts are seconds."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The provider's name."""

    @abstractmethod
    async def get_capabilities(self) -> ProviderCapabilities:
        """What the provider can do."""

    @abstractmethod
    async def get_server_info(self) -> ServerInfo:
        """Version, devices, models, readiness."""

    @abstractmethod
    async def list_models(self, task: InferenceTask | None = None) -> list[ModelInfo]:
        """The models, those of one task if it is given."""

    async def instantiate_model(
        self,
        provider: str,  # noqa: ARG002 # for providers that can
        config: ModelConfig,  # noqa: ARG002 # as above
        timeout: int = 60,  # noqa: ARG002, ASYNC109 # as above; the interface's
    ) -> None:
        """Load a model. Raises TaskNotSupportedError where that is not a client's to do."""
        raise TaskNotSupportedError(_NOT_OURS)

    async def delete_model(self, model_name: str) -> None:  # noqa: ARG002 # for providers that can
        """Unload a model. Raises TaskNotSupportedError where that is not a client's to do."""
        raise TaskNotSupportedError(_NOT_OURS)

    @abstractmethod
    async def image_mask_generation(
        self,
        input_data: ImageMaskGenerationInput,
        timeout: float = 60.0,  # noqa: ASYNC109 # the interface's
    ) -> ImageMaskGenerationResult:
        """Masks of an image."""

    @abstractmethod
    async def video_mask_generation(
        self,
        input_data: VideoMaskGenerationInput,
        timeout: float = 120.0,  # noqa: ASYNC109 # the interface's
    ) -> VideoMaskGenerationResult:
        """Masks of a video's frames."""

    @abstractmethod
    async def image_zero_shot_detection(
        self,
        input_data: ImageZeroShotDetectionInput,
        timeout: float = 60.0,  # noqa: ASYNC109 # the interface's
    ) -> ImageZeroShotDetectionResult:
        """Objects of an image, found by their names."""

    @abstractmethod
    async def text_image_conditional_generation(
        self,
        input_data: TextImageConditionalGenerationInput,
        timeout: float = 60.0,  # noqa: ASYNC109 # the interface's
    ) -> TextImageConditionalGenerationResult:
        """A text about images."""
