"""A Pixano provider over a Wherry fleet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from ...protocol.errors import ModelNotFound, WherryError
from ..aio import AsyncClient
from ..operations import model_path
from . import errors
from .provider import InferenceProvider
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

_Result = TypeVar("_Result", bound=BaseModel)


class WherryProvider(InferenceProvider):
    """A fleet, as Pixano asks it.

    It loads and unloads the models that the fleet's operator declared, and no others. Raises
    `InferenceError` alone. Close it, or use it as a context.
    """

    def __init__(self, url: str | None = None, *, client: AsyncClient | None = None) -> None:
        self._client = client or AsyncClient(url)

    @property
    def name(self) -> str:
        """`wherry`."""
        return "wherry"

    async def get_capabilities(self) -> ProviderCapabilities:
        """The tasks that some model does."""
        known = {model.task for model in await self.list_models()}
        tasks = [task for task in InferenceTask if task in known]
        return ProviderCapabilities(tasks=tasks, supports_batching=True)

    async def get_server_info(self) -> ServerInfo:
        """Version, devices, models, readiness."""
        async with _translated(None):
            return ServerInfo.model_validate(await self._client.get("/pixano/app/settings/"))

    async def list_models(self, task: InferenceTask | None = None) -> list[ModelInfo]:
        """The models that are not unloaded, those of one task if it is given."""
        async with _translated(None):
            listed: Any = await self._client.get("/pixano/app/models/")
            models = [ModelInfo.model_validate(entry) for entry in listed]
        return [model for model in models if task is None or model.task == task]

    async def instantiate_model(
        self,
        provider: str,
        config: ModelConfig,
        timeout: int = 60,  # noqa: ASYNC109 # the interface's
    ) -> None:
        """Open a declared model to requests. Raises TaskNotSupportedError for any other."""
        body = {"provider": provider, "config": config.model_dump(mode="json")}
        async with _translated(timeout):
            try:
                await self._client.post("/pixano/providers/instantiate", body)
            except ModelNotFound as error:
                raise errors.TaskNotSupportedError(
                    f"Model deployment is managed by the server administrator: {error.message}"
                ) from error

    async def delete_model(self, model_name: str) -> None:
        """Close a model to new requests. Raises ModelNotFoundError."""
        path = model_path(model_name).replace("/v2/", "/v2/repository/", 1)
        async with _translated(None):
            await self._client.post(f"{path}/unload", {})

    async def image_mask_generation(
        self,
        input_data: ImageMaskGenerationInput,
        timeout: float = 60.0,  # noqa: ASYNC109 # the interface's
    ) -> ImageMaskGenerationResult:
        """Masks of an image: those of prompts, or of all its objects."""
        path = "image/mask_generation"
        return await self._infer(path, input_data, ImageMaskGenerationResult, timeout)

    async def video_mask_generation(
        self,
        input_data: VideoMaskGenerationInput,
        timeout: float = 120.0,  # noqa: ASYNC109 # the interface's
    ) -> VideoMaskGenerationResult:
        """Masks of a video's frames."""
        path = "video/mask_generation"
        return await self._infer(path, input_data, VideoMaskGenerationResult, timeout)

    async def image_zero_shot_detection(
        self,
        input_data: ImageZeroShotDetectionInput,
        timeout: float = 60.0,  # noqa: ASYNC109 # the interface's
    ) -> ImageZeroShotDetectionResult:
        """Objects of an image, found by their names."""
        path = "image/zero_shot_detection"
        return await self._infer(path, input_data, ImageZeroShotDetectionResult, timeout)

    async def text_image_conditional_generation(
        self,
        input_data: TextImageConditionalGenerationInput,
        timeout: float = 60.0,  # noqa: ASYNC109 # the interface's
    ) -> TextImageConditionalGenerationResult:
        """A text about an image."""
        path = "multimodal/text-image/conditional_generation"
        return await self._infer(path, input_data, TextImageConditionalGenerationResult, timeout)

    async def _infer(
        self, path: str, asked: BaseModel, result: type[_Result], seconds: float
    ) -> _Result:
        body = asked.model_dump(mode="json", exclude_none=True)
        async with _translated(seconds):
            return result.model_validate(await self._client.post(f"/pixano/tasks/{path}/", body))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


@asynccontextmanager
async def _translated(seconds: float | None) -> AsyncIterator[None]:
    """Bound what is done in seconds, and raise Pixano's errors in place of ours."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise errors.InferenceTimeoutError(f"no answer within {seconds:g} s") from None
    except WherryError as error:
        raise errors.of(error) from error
    except ValidationError as error:
        raise errors.InferenceError(f"the answer cannot be read: {error}") from error
