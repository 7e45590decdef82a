"""instill-sdk 0.18 against our `/v1alpha`: its client, its messages, its helpers for each task.

It speaks gRPC, so its calls go by its own descriptors' HTTP annotations (see instill_client.py);
answers are held against what our client reads for the same input.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from referencing import Registry, Resource

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.registry import get_task
from wherry.tasks.values.masks import read_mask
from wherry.tasks.values.rle import decode_decimal

from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

PACKAGE = "instill-sdk==0.18.0"
WORDS = [{"role": "user", "content": "What is the capital of France?"}]
DRAWN: dict[str, Any] = {
    "max_new_tokens": 8,
    "do_sample": True,
    "temperature": 0.7,
    "top_p": 0.9,
}
#: Model -> fields of our input, seeds apart, as instill_client.py asks for them.
FIELDS: dict[str, dict[str, Any]] = {
    "chat": {"messages": [WORDS], **DRAWN},
    "custom": {"data": [{"inputs": "Cast off!", "parameters": {"shout": True}}]},
    "embedding": {"texts": ["a boat", "a ship"]},
    "image-classification": {"images": "shapes.png", "top_k": 1},
    "image-feature-extraction": {"images": "shapes.png"},
    "image-segmentation": {"images": "shapes.png"},
    "image-text-to-text": {
        "images": "shapes.png",
        "texts": ["what is this?"],
        "max_new_tokens": 8,
        "temperature": 0,
        "top_p": 1,
    },
    "keypoint-detection": {"images": "shapes.png"},
    "object-detection": {"images": "shapes.png"},
    "optical-character-recognition": {"images": "page.png", "threshold": 0},
    "text-generation": {"texts": ["Once"], **DRAWN},
    "text-to-image": {
        "prompts": ["a grey square"],
        "negative_prompt": "blue",
        "num_inference_steps": 2,
        "width": 64,
        "height": 64,
    },
}
#: Models whose entry asks for two answers: of this seed and the next.
SEEDS = dict.fromkeys(("chat", "text-generation", "text-to-image"), (3, 4))

#: The folder of instill-core's schema files, which no package carries.
SCHEMA = os.environ.get("INSTILL_SCHEMA_DIR", "")

Lines = dict[str, dict[str, Any]]


def call(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.call(PACKAGE, name))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    shapes = Image.new("RGB", (96, 64), "white")
    draw = ImageDraw.Draw(shapes)
    draw.ellipse((8, 10, 44, 46), fill="red")
    draw.rectangle((56, 20, 84, 48), fill="blue")
    shapes.save(folder / "shapes.png")
    page = Image.new("RGB", (320, 96), "white")
    ImageDraw.Draw(page).text((20, 30), "CAST OFF", fill="black", font=ImageFont.load_default(36))
    page.save(folder / "page.png")
    return folder


@pytest.fixture(scope="module")
def lines(
    environment: Environment,
    drive: Callable[..., list[dict[str, Any]]],
    fleet: Stack,
    pictures: Path,
) -> Lines:
    python = environment("instill", PACKAGE)
    return {line["call"]: line for line in drive(python, "instill_client.py", fleet.url, pictures)}


@pytest.fixture(scope="module")
def ours(client: Client, pictures: Path) -> Callable[..., Any]:
    """What our client reads for a model's entry, a list where it asks for several answers."""

    def ask(model: str) -> Any:
        task, fields = get_task(model), dict(FIELDS[model])
        if "images" in fields:
            fields["images"] = [(pictures / fields["images"]).read_bytes()]
        seeds = SEEDS.get(model)
        if seeds is None:
            return client.infer(model, task.input.validated(fields), 60)
        asked = [task.input.validated({**fields, "seed": seed}) for seed in seeds]
        return [client.infer(model, one, 60) for one in asked]

    return ask


def first(lines: Lines, model: str) -> Any:
    """The first entry of what a model's trigger answered."""
    return lines[f"trigger_latest {model}"]["answer"]["taskOutputs"][0]


def pixels(file: bytes) -> NDArray[np.int16]:
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image, np.int16)


def box(item: Any) -> tuple[float, ...]:
    edges = item["bounding_box"]
    return (
        edges["left"],
        edges["top"],
        edges["left"] + edges["width"],
        edges["top"] + edges["height"],
    )


@pytest.mark.parametrize("name", [call("trigger_latest image-classification")])
def test_a_category(name: str, lines: Lines, ours: Callable[..., Any]) -> None:
    ((likeliest,),) = ours("image-classification").results
    expected = {"category": likeliest.label, "score": pytest.approx(likeliest.score)}
    assert first(lines, "image-classification")["data"] == expected


@pytest.mark.parametrize("name", [call("trigger_latest object-detection")])
def test_boxes_of_objects(name: str, lines: Lines, ours: Callable[..., Any]) -> None:
    (expected,) = ours("object-detection").detections
    found = first(lines, "object-detection")["data"]["objects"]
    assert len(found) == len(expected) > 0
    for item, want in zip(found, expected, strict=True):
        assert item["category"] == want.label
        assert item["score"] == pytest.approx(want.score, abs=1e-4)
        assert box(item) == pytest.approx(tuple(want.box.model_dump().values()), abs=1e-2)
    assert len(lines["trigger_latest object-detection"]["answer"]["taskOutputs"]) == 2


@pytest.mark.parametrize("name", [call("trigger_latest optical-character-recognition")])
def test_lines_of_text(name: str, lines: Lines, ours: Callable[..., Any]) -> None:
    (expected,) = ours("optical-character-recognition").lines
    found = first(lines, "optical-character-recognition")["data"]["objects"]
    assert len(found) == len(expected) > 0
    for item, want in zip(found, expected, strict=True):
        assert item["text"] == want.text
        assert item["score"] == pytest.approx(want.score)
        assert box(item) == pytest.approx(tuple(want.box.model_dump().values()))


@pytest.mark.parametrize("name", [call("trigger_latest keypoint-detection")])
def test_keypoints(name: str, lines: Lines, ours: Callable[..., Any]) -> None:
    (expected,) = ours("keypoint-detection").keypoints
    (item,) = first(lines, "keypoint-detection")["data"]["objects"]
    found = [(point["x"], point["y"], point["v"]) for point in item["keypoints"]]
    assert len(found) == len(expected) > 0
    for point, want in zip(found, expected, strict=True):
        assert point == pytest.approx((want.x, want.y, want.score), rel=1e-3)


@pytest.mark.parametrize("name", [call("trigger_latest image-segmentation")])
def test_parts_of_an_image(name: str, lines: Lines, ours: Callable[..., Any]) -> None:
    assert lines[name]["answer"]["task"] == "TASK_SEMANTIC_SEGMENTATION"
    (expected,) = ours("image-segmentation").segments
    stuffs = first(lines, "image-segmentation")["data"]["stuffs"]
    assert [s["category"] for s in stuffs] == [want.label for want in expected]
    assert {"circle", "square"} <= {s["category"] for s in stuffs}
    for stuff, want in zip(stuffs, expected, strict=True):
        assert (decode_decimal(stuff["rle"], 64, 96) == read_mask(want.mask)).all()


@pytest.mark.parametrize("name", [call("trigger_latest text-to-image")])
def test_pictures(name: str, lines: Lines, ours: Callable[..., Any]) -> None:
    choices = first(lines, "text-to-image")["data"]["choices"]
    assert {choice["finish-reason"] for choice in choices} == {"success"}
    expected = [pixels(answer.images[0]) for answer in ours("text-to-image")]
    found = [pixels(base64.b64decode(choice["image"])) for choice in choices]
    for image, want in zip(found, expected, strict=True):
        assert np.abs(image - want).max() <= 2  # batches of another size round another way
    assert np.abs(found[0] - found[1]).max() > 20


@pytest.mark.parametrize(
    ("name", "model"),
    [
        pytest.param(f"trigger_latest {model}", model, marks=call(f"trigger_latest {model}").marks)
        for model in ("chat", "text-generation")
    ],
)
def test_generated_texts(name: str, model: str, lines: Lines, ours: Callable[..., Any]) -> None:
    output, answers = first(lines, model), [answer.generations[0] for answer in ours(model)]
    choices = output["data"]["choices"]
    said = [c["content"] if "content" in c else c["message"]["content"] for c in choices]
    assert said == [answer.text for answer in answers]
    assert said[0] != said[1]
    assert [c["finish-reason"] for c in choices] == [answer.finish_reason for answer in answers]
    completion = sum(answer.completion_tokens for answer in answers)
    assert output["metadata"]["usage"] == {
        "completion-tokens": completion,
        "prompt-tokens": answers[0].prompt_tokens,
        "total-tokens": completion + answers[0].prompt_tokens,
    }


@pytest.mark.parametrize("name", [call("trigger_latest image-text-to-text")])
def test_a_chat_about_an_image(name: str, lines: Lines, ours: Callable[..., Any]) -> None:
    (choice,) = first(lines, "image-text-to-text")["data"]["choices"]
    assert lines[name]["answer"]["task"] == "TASK_CHAT"
    assert [choice["message"]["content"]] == ours("image-text-to-text").texts


@pytest.mark.parametrize(
    ("name", "model"),
    [
        pytest.param(f"trigger_latest {model}", model, marks=call(f"trigger_latest {model}").marks)
        for model in ("embedding", "image-feature-extraction")
    ],
)
def test_vectors(name: str, model: str, lines: Lines, ours: Callable[..., Any]) -> None:
    found = first(lines, model)["data"]["embeddings"]
    expected = ours(model).embeddings
    assert [item["index"] for item in found] == list(range(len(expected)))
    for item, want in zip(found, expected, strict=True):
        assert item["vector"] == pytest.approx(want, abs=1e-4)


@pytest.mark.parametrize("name", [call("trigger_latest custom")])
def test_a_custom_answer(name: str, lines: Lines, ours: Callable[..., Any]) -> None:
    assert [first(lines, "custom")["data"]] == ours("custom").results


@pytest.mark.parametrize(
    "name",
    [
        call("trigger embedding"),
        call("trigger_async embedding"),
        call("trigger_async_latest embedding"),
    ],
)
def test_a_version_and_an_operation_answer_the_same(name: str, lines: Lines) -> None:
    answer = lines[name]["answer"]
    if "async" in name:
        assert answer["name"] == lines[name]["first"]["name"]
        assert not lines[name]["first"].get("done")
        answer = answer["response"]["response"]
    for item, want in zip(
        answer["taskOutputs"][0]["data"]["embeddings"],
        first(lines, "embedding")["data"]["embeddings"],
        strict=True,
    ):
        assert item["vector"] == pytest.approx(want["vector"], abs=1e-6)


@pytest.mark.parametrize("name", [call("get_model_operation"), call("is_serving")])
def test_it_can_be_polled(name: str, lines: Lines) -> None:
    assert lines["trigger_async embedding"]["answer"]["done"] is True
    assert lines["is_serving"]["answer"] is True


@pytest.mark.parametrize("name", [call("list_models")])
def test_models_are_listed(name: str, lines: Lines) -> None:
    tasks = {model["id"]: model["task"] for model in lines[name]["answer"]["models"]}
    assert {model: get_task(model).aliases.instill for model in FIELDS}.items() <= tasks.items()


@pytest.mark.parametrize("model", FIELDS)
def test_its_helpers_read_the_entries_and_build_the_same_answer(model: str, lines: Lines) -> None:
    line = lines[f"trigger_latest {model}"]
    outputs = line["answer"]["taskOutputs"]
    assert line["parsed"] == len(outputs)
    # It calls a box as its schema does, and every picture a data URI of a JPEG.
    built = json.dumps(line["rebuilt"]).replace("bounding-box", "bounding_box")
    assert json.loads(built.replace("data:image/jpeg;base64,", "")) == outputs


@pytest.mark.skipif(not SCHEMA, reason="INSTILL_SCHEMA_DIR names no folder of its schema files")
@pytest.mark.parametrize("model", FIELDS)
def test_answers_hold_against_the_published_schema(model: str, lines: Lines) -> None:
    tasks, shared = (
        json.loads((Path(SCHEMA) / name).read_text()) for name in ("ai-tasks.json", "schema.json")
    )
    answer = lines[f"trigger_latest {model}"]["answer"]
    schema = tasks[answer["task"]]["output"]
    at = "https://raw.githubusercontent.com/instill-ai/instill-core/bdd0f35/schema/schema.json"
    resource: Resource[Any] = Resource.from_contents(
        {"$schema": "http://json-schema.org/draft-07/schema#", **shared}
    )
    check = jsonschema.Draft7Validator(schema, registry=Registry().with_resource(at, resource))
    for output in answer["taskOutputs"]:
        named = json.dumps(output).replace("bounding_box", "bounding-box")
        check.validate(json.loads(named))
