"""The provider interface that Pixano's documents printed, and which was never released: ours.

The provider goes over HTTP, and so do the bodies that its inputs make.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from wherry import __version__
from wherry.client import Client
from wherry.client.pixano import InferenceTask, WherryProvider, types
from wherry.ops.stack import Stack

from . import pixano_checks as checks
from .pixano_checks import BOXES, CLASSES, LABELS, POINTS, PROMPT, Ours, Value
from .test_pixano import NAMES, TASKS_056, WITHOUT_NER

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def ours(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Ours:
    return Ours(client, checks.draw_frames(tmp_path_factory.mktemp("frames")))


SEED = "Pixano provider interface (seed)"


def seed(call: str) -> Any:
    return pytest.mark.call(SEED, call)


def _document(result: Any) -> Value:
    """A result as the other clients print theirs."""
    return {"status": result.status, **result.data.model_dump(mode="json")}


class _Asked:
    """The seed's inputs."""

    def __init__(self, ours: Ours) -> None:
        self.images = [base64.b64encode(frame).decode() for frame in ours.frames]
        self.segment = types.ImageMaskGenerationInput(
            image=self.images[0], model="mask-generation", points=POINTS, labels=LABELS
        )
        self.follow = types.VideoMaskGenerationInput(
            video=self.images,
            model="video-mask-generation",
            objects_ids=[3],
            frame_indexes=[0],
            boxes=BOXES,
        )
        self.detect = types.ImageZeroShotDetectionInput(
            image=self.images[0],
            model="zero-shot-object-detection",
            classes=CLASSES,
            box_threshold=0.0,
        )
        self.write = types.TextImageConditionalGenerationInput(
            model="image-text-to-text", prompt=PROMPT, images=[self.images[0]], max_new_tokens=8
        )


#: Method -> its input, its path, and what it is held to.
_SEED = {
    "image_mask_generation": ("segment", "image/mask_generation", checks.segments),
    "video_mask_generation": ("follow", "video/mask_generation", checks.follows),
    "image_zero_shot_detection": ("detect", "image/zero_shot_detection", checks.detects),
    "text_image_conditional_generation": (
        "write",
        "multimodal/text-image/conditional_generation",
        checks.writes,
    ),
}


def _scores(value: Value) -> Value:
    """The seed's arrays as nested as the others print them."""
    scores = value.get("scores")
    if isinstance(scores, dict):
        return {**value, "scores": scores["values"], "shape": scores["shape"]}
    return value


@pytest.mark.parametrize("method", [pytest.param(name, marks=seed(name)) for name in _SEED])
def test_the_seeds_provider(method: str, fleet: Stack, ours: Ours) -> None:
    field, _, check = _SEED[method]

    async def main() -> Any:
        async with WherryProvider(fleet.url) as provider:
            return await getattr(provider, method)(getattr(_Asked(ours), field))

    result = asyncio.run(main())
    assert (datetime.now(UTC) - result.timestamp).total_seconds() < 300
    check(_scores(_document(result)), ours)


@pytest.mark.parametrize(
    "method", [pytest.param(name, marks=seed(f"{name}, as printed")) for name in _SEED]
)
def test_the_seeds_bodies(method: str, fleet: Stack, ours: Ours) -> None:
    field, path, check = _SEED[method]
    body = getattr(_Asked(ours), field).model_dump(mode="json")
    answer = httpx.post(f"{fleet.url}/pixano/tasks/{path}/", json=body, timeout=60)
    document = answer.raise_for_status().json()
    check(_scores({"status": document["status"], **document["data"]}), ours)
    again = httpx.get(f"{fleet.url}/pixano/tasks/{path}/{document['id']}", timeout=60)
    assert again.json() == document


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(name, marks=seed(name))
        for name in (
            *("get_capabilities", "get_server_info", "list_models"),
            *("delete_model", "instantiate_model"),
        )
    ],
)
def test_the_seeds_provider_tells_of_the_fleet(call: str, fleet: Stack) -> None:
    async def main() -> None:
        async with WherryProvider(fleet.url) as provider:
            match call:
                case "get_capabilities":
                    assert (await provider.get_capabilities()).tasks == list(InferenceTask)
                case "get_server_info":
                    info = await provider.get_server_info()
                    assert (info.version, info.ready) == (__version__, True)
                    assert info.models_to_task == TASKS_056
                case "list_models":
                    listed = await provider.list_models(InferenceTask.VIDEO_MASK_GENERATION)
                    assert [model.name for model in listed] == ["video-mask-generation"]
                case _:
                    config = types.ModelConfig(
                        name="token-classification", task="token_classification"
                    )
                    await provider.delete_model(config.name)
                    assert [m.name for m in await provider.list_models()] == WITHOUT_NER
                    await provider.instantiate_model("transformers", config)
                    assert [m.name for m in await provider.list_models()] == NAMES

    asyncio.run(main())
