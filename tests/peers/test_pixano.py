"""Pixano's clients of every published generation, and the seed's provider, which none has.

Each script drives one client, in an environment of its own; what it read is held against what our
client reads for the same input. Masks come as the client decoded them with pycocotools, or as the
run lengths that it hands on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wherry import __version__
from wherry.client import Client
from wherry.ops.stack import Stack

from . import pixano_checks as checks
from .conftest import Environment
from .pixano_checks import Ours, Value, holds, is_, says

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

Drive = Callable[..., list[dict[str, Any]]]

#: What pixano-inference 0.5.6's client imports of its server; and what its masks need.
_MODULES_056 = (
    *("celery", "fastapi", "httpx", "numpy", "pillow", "polars", "pycocotools"),
    *("pydantic-settings", "python-dotenv", "requests"),
)
#: Client -> its script, and what its environment holds.
CLIENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pixano-inference 0.5.6": (
        "pixano056_client.py",
        ("--no-deps pixano-inference==0.5.6", *_MODULES_056),
    ),
    "pixano 0.7.2": ("pixano_provider_client.py", ("--no-deps pixano==0.7.2", "httpx")),
    "pixano 0.8.0": (
        "pixano_provider_client.py",
        ("--no-deps pixano==0.8.0", "pixano-inference-client[masks]==0.1.0"),
    ),
    "pixano-inference-client 0.1.0": (
        "pixano_v1_client.py",
        ("--no-deps pixano==0.8.0", "pixano-inference-client[masks]==0.1.0"),
    ),
    "pixano-inference 0.7.1 (client 0.2.0)": (
        "pixano_v1_client.py",
        ("pixano-inference[masks]==0.7.1", "pixano-inference-client==0.2.0"),
    ),
}
C056, C072, C080, C010, C071 = CLIENTS

TASKS_056 = {
    "embedding": "embedding",
    "image-feature-extraction": "image_feature_extraction",
    "image-text-to-text": "text_image_conditional_generation",
    "mask-generation": "image_mask_generation",
    "multimodal-embedding": "embedding",
    "object-detection": "object_detection",
    "token-classification": "token_classification",
    "video-mask-generation": "video_mask_generation",
    "zero-shot-object-detection": "image_zero_shot_detection",
}
CAPABILITIES = {
    "embedding": "embedding",
    "image-feature-extraction": "embedding",
    "image-text-to-text": "vlm",
    "mask-generation": "segmentation",
    "multimodal-embedding": "embedding",
    "object-detection": "detection",
    "token-classification": "ner",
    "video-mask-generation": "tracking",
    "zero-shot-object-detection": "detection",
}
TASKS_080 = CAPABILITIES | {
    "mask-generation": "image_mask_generation",
    "video-mask-generation": "video_mask_generation",
}
NAMES = list(CAPABILITIES)
WITHOUT_NER = [name for name in NAMES if name != "token-classification"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checks.draw_frames(tmp_path_factory.mktemp("frames"))


@pytest.fixture(scope="module")
def read(
    environment: Environment, drive: Drive, fleet: Stack, folder: Path
) -> Callable[[str], dict[str, Value]]:
    """What a client read: call -> value."""

    @functools.cache
    def run(client: str) -> dict[str, Value]:
        script, requirements = CLIENTS[client]
        python = environment(f"pixano-{requirements[0][-5:]}", *requirements)
        return {line["call"]: line["value"] for line in drive(python, script, fleet.url, folder)}

    return run


@pytest.fixture(scope="module")
def ours(client: Client, folder: Path) -> Ours:
    return Ours(client, folder)


_JOB_072, _JOB_080 = "tracking_job", "video_mask_generation_job"
_V1: dict[str, Callable[[Value, Ours], None]] = {
    "ready": is_(True),  # what the call gives
    "health": is_({"status": "healthy"}),
    "info": holds(appName="Wherry", appVersion=__version__, numGpus=0, models=NAMES),
    "list_models": is_({name: [kind, "RUNNING"] for name, kind in CAPABILITIES.items()}),
    "segmentation": checks.segments,
    "segmentation (synchronous client)": checks.segments,
    "tracking": checks.follows_a_keyframe,
    "detection": checks.detects,
    "detection of a model's own classes": checks.detects_its_own,
    "vlm": checks.writes,
    "ner": checks.names_entities,
    "embedding of texts": checks.embeds_texts,
    "embedding of an image": checks.embeds_an_image,
    "embedding of an image as long as it is": checks.embeds_images,
    "submit_tracking_job": checks.ends_with_data,
    "get_job": is_("completed"),
    "cancel_job": is_("canceled"),
    "undeploy_model": is_(
        {"answer": {"status": "deleted", "model": "token-classification"}, "models": WITHOUT_NER}
    ),
    "deploy_model": is_({"capability": "ner", "models": NAMES}),
    "an unknown model": is_({"status": 404, "code": "not_found"}),
    "a model of another task": says("PixanoInferenceError", "does embedding, not segmentation"),
}
CALLS: dict[str, dict[str, Callable[[Value, Ours], None]]] = {
    C056: {
        "connect": is_({"models_to_task": TASKS_056, "num_gpus": 0}),
        "get_settings": is_(NAMES),
        "list_models": is_(TASKS_056),
        "image_mask_generation": checks.segments,
        "image_mask_generation(asynchronous=True)": checks.polled,
        "video_mask_generation": checks.follows,
        "image_zero_shot_detection": checks.detects,
        "image_zero_shot_detection of one text": checks.detects,
        "text_image_conditional_generation": checks.writes,
        "delete_model": is_(WITHOUT_NER),
        "instantiate_model": is_(NAMES),
        "an unknown model": says("HTTPException", "HTTP 404: Not Found - unknown model 'nobody'"),
        "a timeout": says("InferenceTooLongError", "takes too long"),
    },
    C072: {
        "connect": is_("pixano-inference"),
        "get_capabilities": is_(True),  # what the call gives
        "get_server_info": holds(
            app_name="Wherry", models=NAMES, models_to_capability=CAPABILITIES, num_gpus=0
        ),
        "list_models": is_(CAPABILITIES),
        "list_models(task)": is_(["object-detection", "zero-shot-object-detection"]),
        "segmentation": checks.segments,
        "segmentation of bytes": checks.segments,
        "tracking": checks.follows,
        "tracking of bytes": checks.follows,
        "tracking of keyframes": checks.follows_an_interval,
        f"submit_{_JOB_072}": checks.ends,
        f"get_{_JOB_072}": is_("canceled"),
        f"cancel_{_JOB_072}": is_("canceled"),
        "detection": checks.detects,
        "vlm": checks.writes,
        "delete_model": says("TaskNotSupportedError", "server administrator"),
        "an unknown model": says("InferenceError", "HTTP 404: Not Found - unknown model 'nobody'"),
    },
    C080: {
        "connect": is_("pixano-inference"),
        "get_server_info": holds(version=__version__, models=NAMES, models_to_task=TASKS_080),
        "list_models": is_(TASKS_080),
        "list_models(task)": is_(["object-detection", "zero-shot-object-detection"]),
        "image_mask_generation": checks.segments,
        "image_mask_generation of bytes": checks.segments,
        "video_mask_generation": checks.follows,
        "video_mask_generation of bytes": checks.follows,
        "video_mask_generation of keyframes": checks.follows_an_interval,
        f"submit_{_JOB_080}": checks.ends,
        f"get_{_JOB_080}": is_("canceled"),
        f"cancel_{_JOB_080}": is_("canceled"),
        "detection": checks.detects,
        "vlm": checks.writes,
        "embedding": checks.embeds,
        "an unknown model": says("InferenceRequestError", "[404 not_found] unknown model"),
    },
    C010: _V1,
    C071: _V1,
}


@pytest.mark.parametrize(
    ("client_name", "call"),
    [
        pytest.param(client, call, marks=pytest.mark.call(client, call))
        for client, calls in CALLS.items()
        for call in calls
    ],
)
def test_a_call(
    client_name: str, call: str, read: Callable[[str], dict[str, Value]], ours: Ours
) -> None:
    CALLS[client_name][call](read(client_name)[call], ours)


@pytest.mark.parametrize("client_name", CLIENTS)
def test_every_call_is_held_to_something(
    client_name: str, read: Callable[[str], dict[str, Value]]
) -> None:
    assert set(read(client_name)) == set(CALLS[client_name])
