"""A real Label Studio server asks for each kind of work: where files lie, what is drawn, prompts.

Its own checks of predictions against the labelling configuration are in the way of all of it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import soundfile
from PIL import Image, ImageDraw

from wherry.client import Client
from wherry.jobs.settings import JobsSettings
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples

from ..support.speech import RATE, Voice, words
from .conftest import Environment
from .test_label_studio_server import PACKAGE

# Installing Label Studio takes minutes: CI's peers leave it out.
pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

NAME = "Label Studio 1.23.2"
MODELS = (
    *("automatic-speech-recognition", "image-segmentation", "keypoint-detection"),
    *("mask-generation", "object-detection", "video-classification"),
)
SAID = "The boat is in the harbour."

Line = dict[str, Any]


def picture(number: int) -> Image.Image:
    image = Image.new("RGB", (96, 64), "white")
    drawing, left = ImageDraw.Draw(image), 4 + 20 * number
    shape = drawing.ellipse if number % 2 else drawing.rectangle
    shape((left, 10, left + 36, 46), fill="red")
    return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, s3: JobsSettings) -> Path:
    folder = tmp_path_factory.mktemp("projects")
    photos = folder / "local" / "photos"
    photos.mkdir(parents=True)
    client = boto3.client(
        "s3",
        endpoint_url=s3.s3_endpoint_url,
        region_name=s3.s3_region,
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket="studio")
    for number in range(2):
        buffer = io.BytesIO()
        picture(number).save(buffer, "PNG")
        (photos / f"{number}.png").write_bytes(buffer.getvalue())
        client.put_object(Bucket="studio", Key=f"photos/{number}.png", Body=buffer.getvalue())
    client.close()
    frames = [picture(number % 2).convert("P") for number in range(8)]
    frames[0].save(folder / "local" / "film.gif", save_all=True, append_images=frames[1:])
    spoken, _ = Voice().tell([SAID], pause_s=0.5)
    soundfile.write(folder / "local" / "speech.wav", spoken, RATE)
    told = {"bucket": "studio", "endpoint": s3.s3_endpoint_url}
    (folder / "s3.json").write_text(json.dumps(told))
    return folder


@pytest.fixture(scope="module")
def lines(
    environment: Environment,
    drive: Callable[..., list[Line]],
    folder: Path,
    s3: JobsSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Line]:
    """What the server saw; the stack runs only meanwhile."""
    data = tmp_path_factory.mktemp("stack")
    models = write_samples(data / "samples", sorted(MODELS))
    env = {
        "WHERRY_LABEL_STUDIO_LOCAL_FILES": str(folder / "local"),
        "WHERRY_URL_BUCKETS": "studio/photos/",
        "WHERRY_S3_ENDPOINT_URL": str(s3.s3_endpoint_url),
        "WHERRY_S3_REGION": "us-east-1",
        "WHERRY_S3_ACCESS_KEY_ID": "id",
        "WHERRY_S3_SECRET_ACCESS_KEY": "secret",
    }
    python = environment("label-studio", PACKAGE)
    with Stack(models=models, data_dir=data, flower=False, env=env) as stack:
        with Client(stack.url) as client:
            names = {
                model: client.get(f"/v2/models/{model}")["parameters"]["labels"] for model in MODELS
            }
        (folder / "labels.json").write_text(json.dumps(names))
        return drive(python, "label_studio_projects_client.py", stack.url, folder)


def of(lines: list[Line], project: str, fact: str = "task") -> list[Line]:
    return [line for line in lines if (line["project"], line["fact"]) == (project, fact)]


def results(lines: list[Line], project: str) -> list[Line]:
    """All of a project's tasks, each of which has a prediction."""
    tasks = of(lines, project)
    assert tasks, project
    assert [task["count"] for task in tasks] == [1] * len(tasks), of(lines, project, "asked")
    found = [result for task in tasks for result in task["results"]]
    assert found, "nothing was found: the test would hold nothing"
    return found


@pytest.mark.call(NAME, "connect a model")
def test_each_model_is_connected(lines: list[Line]) -> None:
    states = [line["state"] for line in lines if line["fact"] == "connected"]
    assert states == ["CO"] * 11


@pytest.mark.call(NAME, "files of a local storage, of S3, presigned too")
@pytest.mark.parametrize("project", ["local", "s3", "s3 presigned"])
def test_pictures_are_read_where_they_lie(lines: list[Line], project: str) -> None:
    begins = "/data/local-files/?d=" if project == "local" else ("s3://studio/photos/", "/tasks/")
    assert all(task["data"]["image"].startswith(begins) for task in of(lines, project))
    boxes = [
        [(r["value"]["rectanglelabels"], r["value"]["x"]) for r in task["results"]]
        for task in of(lines, project)
    ]
    assert len(boxes) == 2
    assert boxes == [
        [(r["value"]["rectanglelabels"], r["value"]["x"]) for r in task["results"]]
        for task in of(lines, "local")
    ]
    assert results(lines, project)


@pytest.mark.call(NAME, "several images a task, pages of a valueList")
def test_each_picture_of_a_task_has_its_results(lines: list[Line]) -> None:
    shown = {(r["to_name"], r["from_name"]) for r in results(lines, "two")}
    assert shown == {("left", "on-left"), ("right", "on-right")}
    assert {r["item_index"] for r in results(lines, "pages")} == {0, 1}


@pytest.mark.call(NAME, "KeyPointLabels, BrushLabels, PolygonLabels")
@pytest.mark.parametrize(
    ("project", "kind"),
    [("keypoints", "keypointlabels"), ("brush", "brushlabels"), ("polygons", "polygonlabels")],
)
def test_regions_are_of_the_projects_kind(lines: list[Line], project: str, kind: str) -> None:
    assert {r["type"] for r in results(lines, project)} == {kind}


@pytest.mark.call(NAME, "Choices of a video")
def test_a_film_has_its_label(lines: list[Line]) -> None:
    [choice] = results(lines, "film")
    assert (choice["type"], choice["to_name"]) == ("choices", "film")


@pytest.mark.call(NAME, "Labels and TextArea of an audio's regions")
def test_speech_is_written_by_regions(lines: list[Line]) -> None:
    found = results(lines, "speech")
    spans = [r for r in found if r["type"] == "labels"]
    texts = [r for r in found if r["type"] == "textarea"]
    assert [r["id"] for r in spans] == [r["id"] for r in texts]
    assert {tuple(r["value"]["labels"]) for r in spans} == {("Speech",)}
    said = words(" ".join(r["value"]["text"][0] for r in texts))
    assert {"boat", "harbour"} & set(said), said


@pytest.mark.call(NAME, "interactive: a click, a rectangle")
def test_a_prompt_is_answered_with_its_mask(lines: list[Line]) -> None:
    for fact, label in (("click", "Boat"), ("frame", "Sea")):
        [line] = of(lines, "smart", fact)
        assert line["status"] == 200
        [mask] = line["answer"]["data"]["result"]
        assert (mask["from_name"], mask["type"]) == ("mask", "brushlabels")
        assert mask["value"]["brushlabels"] == [label]
        assert len(mask["value"]["rle"]) > 10
    [odd] = of(lines, "smart", "odd")
    assert "errors" in odd["answer"] or odd["answer"]["data"]["result"] == []


@pytest.mark.call(NAME, "start a training, which is answered")
def test_a_training_is_heard_and_not_done(lines: list[Line]) -> None:
    [trained] = of(lines, "local", "trained")
    assert trained["status"] == 200
    assert trained["state"] in ("CO", "TR"), trained
