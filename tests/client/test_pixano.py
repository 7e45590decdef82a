"""Pixano's provider, against a fleet that a stub serves: names, errors, and what goes over."""

from __future__ import annotations

import asyncio
import base64
import inspect
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from wherry.client import AsyncClient
from wherry.client.pixano import (
    InferenceError,
    InferenceProvider,
    InferenceTask,
    InferenceTimeoutError,
    InvalidRequestError,
    ModelNotFoundError,
    ProviderConnectionError,
    TaskNotSupportedError,
    WherryProvider,
    errors,
    types,
)
from wherry.ops.ports import free_port
from wherry.ops.stack import Stack
from wherry.protocol import errors as ours
from wherry.tasks.samples import PNG
from wherry.tasks.values.rle import decode_compressed

from ..support.holding import held
from ..support.models import model

IMAGE = base64.b64encode(PNG).decode()

MODELS = (
    model("sam", "mask-generation")
    + model("tracker", "video-mask-generation")
    + model("detector", "zero-shot-object-detection")
    + model("slow", "zero-shot-object-detection", hold="HOLD")
    + model("summarizer", "summarization")
)

SEGMENT = types.ImageMaskGenerationInput(
    image=IMAGE, model="sam", points=[[[2, 3]]], labels=[[1]], multimask_output=False
)

Work = Callable[[WherryProvider], Awaitable[object]]


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file while which the slow model answers nobody."""
    return tmp_path_factory.mktemp("hold") / "hold"


@pytest.fixture(scope="module")
def fleet_url(tmp_path_factory: pytest.TempPathFactory, hold: Path) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("pixano")
    models = folder / "models.toml"
    models.write_text(MODELS.replace("HOLD", str(hold)))
    with Stack(models=models, data_dir=folder, flower=False, concurrency=1) as stack:
        yield stack.url


@pytest.fixture
def ask(fleet_url: str) -> Callable[[Work], object]:
    """Do some work with a provider of the fleet."""

    def run(work: Work) -> object:
        async def main() -> object:
            async with WherryProvider(fleet_url) as provider:
                return await work(provider)

        return asyncio.run(main())

    return run


def test_it_has_the_methods_that_the_seed_prints() -> None:
    printed = {
        "name": ["self"],
        "get_capabilities": ["self"],
        "get_server_info": ["self"],
        "list_models": ["self", "task=None"],
        "instantiate_model": ["self", "provider", "config", "timeout=60"],
        "delete_model": ["self", "model_name"],
        "image_mask_generation": ["self", "input_data", "timeout=60.0"],
        "video_mask_generation": ["self", "input_data", "timeout=120.0"],
        "image_zero_shot_detection": ["self", "input_data", "timeout=60.0"],
        "text_image_conditional_generation": ["self", "input_data", "timeout=60.0"],
    }
    for kind in (InferenceProvider, WherryProvider):
        for name, parameters in printed.items():
            member = getattr(kind, name)
            if isinstance(member, property):
                continue
            assert inspect.iscoroutinefunction(member)
            assert [
                p.name if p.default is p.empty else f"{p.name}={p.default}"
                for p in inspect.signature(member).parameters.values()
            ] == parameters
    abstract = {"instantiate_model", "delete_model"} ^ printed.keys()
    assert InferenceProvider.__abstractmethods__ == abstract


def test_a_provider_that_loads_nothing_says_so() -> None:
    class Fixed(WherryProvider):
        instantiate_model = InferenceProvider.instantiate_model
        delete_model = InferenceProvider.delete_model

    async def main() -> None:
        async with Fixed("http://127.0.0.1:1") as provider:
            with pytest.raises(TaskNotSupportedError, match="server administrator"):
                await provider.delete_model("sam")
            config = types.ModelConfig(name="sam", task="image_mask_generation")
            with pytest.raises(TaskNotSupportedError, match="server administrator"):
                await provider.instantiate_model("sam2", config)

    asyncio.run(main())


def test_it_tells_of_the_fleet(ask: Callable[[Work], object]) -> None:
    info = ask(lambda provider: provider.get_server_info())
    assert isinstance(info, types.ServerInfo)
    assert info.ready
    assert info.models == ["sam", "tracker", "detector", "slow"]
    assert info.models_loaded == 4
    assert info.models_to_task["tracker"] == InferenceTask.VIDEO_MASK_GENERATION
    assert ask(lambda provider: provider.list_models(InferenceTask.IMAGE_MASK_GENERATION)) == [
        types.ModelInfo(name="sam", task="image_mask_generation")
    ]
    abilities = ask(lambda provider: provider.get_capabilities())
    assert isinstance(abilities, types.ProviderCapabilities)
    assert abilities.tasks == [
        InferenceTask.IMAGE_MASK_GENERATION,
        InferenceTask.VIDEO_MASK_GENERATION,
        InferenceTask.IMAGE_ZERO_SHOT_DETECTION,
    ]


def test_it_cuts_out(ask: Callable[[Work], object]) -> None:
    result = ask(lambda provider: provider.image_mask_generation(SEGMENT))
    assert isinstance(result, types.ImageMaskGenerationResult)
    assert result.status == "SUCCESS"
    assert result.data.scores == types.NDArray(values=[0.875], shape=[1, 1])
    [[mask]] = result.data.masks
    assert decode_compressed(mask.counts.decode(), *mask.size).shape == (8, 8)


def test_it_follows(ask: Callable[[Work], object]) -> None:
    asked = types.VideoMaskGenerationInput(
        video=[IMAGE, IMAGE],
        model="tracker",
        objects_ids=[1],
        frame_indexes=[0],
        boxes=[[1, 1, 5, 5]],
    )
    result = ask(lambda provider: provider.video_mask_generation(asked))
    assert isinstance(result, types.VideoMaskGenerationResult)
    assert (result.data.objects_ids, result.data.frame_indexes) == ([1, 1], [0, 1])
    assert [mask.size for mask in result.data.masks] == [[8, 8], [8, 8]]


@pytest.mark.parametrize("classes", [["boat", "buoy"], "boat. buoy."])
def test_it_detects(classes: list[str] | str, ask: Callable[[Work], object]) -> None:
    asked = types.ImageZeroShotDetectionInput(image=IMAGE, model="detector", classes=classes)
    result = ask(lambda provider: provider.image_zero_shot_detection(asked))
    assert isinstance(result, types.ImageZeroShotDetectionResult)
    assert result.data == types.ImageZeroShotDetectionOutput(
        boxes=[[1, 2, 7, 6]], scores=[0.875], classes=["boat"]
    )


def detect(model: str, timeout_s: float = 60.0) -> Work:
    asked = types.ImageZeroShotDetectionInput(image=IMAGE, model=model, classes="boat")
    return lambda provider: provider.image_zero_shot_detection(asked, timeout_s)


UNDECLARED = types.ModelConfig(name="nobody", task="image_mask_generation")


@pytest.mark.parametrize(
    ("work", "error", "text"),
    [
        (detect("nobody"), ModelNotFoundError, "nobody"),
        (detect("sam"), InvalidRequestError, "does mask-generation"),
        (detect("slow", 0.2), InferenceTimeoutError, "0.2 s"),
        (lambda p: p.instantiate_model("sam2", UNDECLARED), TaskNotSupportedError, "administrator"),
        (lambda p: p.delete_model("nobody"), ModelNotFoundError, "nobody"),
    ],
)
def test_errors_are_pixanos(
    work: Work, error: type[InferenceError], text: str, ask: Callable[[Work], object], hold: Path
) -> None:
    with held(hold), pytest.raises(error, match=text):
        ask(work)


def test_it_unloads_and_loads(ask: Callable[[Work], object], fleet_url: str) -> None:
    async def work(_: WherryProvider) -> None:
        client = AsyncClient(fleet_url, patience_s=0.1)
        async with WherryProvider(client=client) as provider:
            await provider.delete_model("sam")
            assert "sam" not in {model.name for model in await provider.list_models()}
            with pytest.raises(ModelNotFoundError):
                await provider.image_mask_generation(SEGMENT)
            config = types.ModelConfig(name="sam", task="image_mask_generation")
            await provider.instantiate_model("sam2", config)
            assert (await provider.image_mask_generation(SEGMENT)).status == "SUCCESS"

    ask(work)


def test_no_server_is_no_connection() -> None:
    async def main() -> None:
        client = AsyncClient(f"http://127.0.0.1:{free_port()}", patience_s=0.1)
        async with WherryProvider(client=client) as provider:
            assert provider.name == "wherry"
            with pytest.raises(ProviderConnectionError):
                await provider.get_server_info()

    asyncio.run(main())


def test_any_error_of_ours_is_one_of_pixanos() -> None:
    assert type(errors.of(ours.WherryError("x"))) is InferenceError
    assert type(errors.of(ours.PayloadTooLarge("x"))) is InvalidRequestError
    assert type(errors.of(ours.QueueFull("x"))) is ProviderConnectionError
