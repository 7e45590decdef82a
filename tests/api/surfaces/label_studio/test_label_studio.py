"""Label Studio's calls, as its server sends them (label_studio/ml/api_connector.py of 1.23.2)."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from wherry.api.egress.named_files import NO_FILES
from wherry.api.settings import ApiSettings
from wherry.api.surfaces.label_studio.config import read_config
from wherry.api.surfaces.label_studio.requests import MediaPlaces, PredictCall, read_tasks
from wherry.api.surfaces.label_studio.responses import kinds_of
from wherry.jobs import JobsSettings
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task, task_names

from ...conftest import Server

BOXES = """
<View>
  <!-- what people draw -->
  <Image name="photo" value="$picture"/>
  <RectangleLabels name="frame" toName="photo">
    <Label value="Boot" predicted_values="anchor, BARGE,canoe,dinghy"/><Label value="Ferry"/>
    <Label value="gig"/><Label value="hull"/><Label value="skiff"/><Label value="tug"/>
  </RectangleLabels>
</View>
"""
CHOICES = (
    '<View><Text name="words" value="$review"/><Choices name="mood" toName="words">'
    '<Choice value="Good" predicted_values="positive,label_0" alias="good"/>'
    '<Choice value="Bad" predicted_values="negative,label_1"/></Choices></View>'
)


def png(size: tuple[int, int] = (40, 20)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (9, 120, 7)).save(buffer, "PNG")
    return buffer.getvalue()


def uri(file: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(file).decode()


def asked(config: str, *data: Any) -> dict[str, Any]:
    """A call of `predict`."""
    return {
        "tasks": [{"id": n, "project": 1, "data": each} for n, each in enumerate(data)],
        "project": "1.1700000000",
        "label_config": config,
        "params": {"login": None, "password": None, "context": None},
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("label-studio")
    for place in ("upload/1", "local/sea side"):
        (folder / place).mkdir(parents=True)
        (folder / place / "a b.png").write_bytes(png())
    (folder / "secret.png").write_bytes(png())
    (folder / "upload" / "link.png").symlink_to(folder / "secret.png")
    return folder


@pytest.fixture(scope="module")
def studio_url(
    folders: Path, api_settings: ApiSettings, jobs_settings: JobsSettings
) -> Iterator[str]:
    settings = {
        "infer_timeout_s": 60,
        "label_studio_uploads": folders / "upload",
        "label_studio_local_files": folders / "local",
    }
    with Server(api_settings.model_copy(update=settings), jobs_settings) as url:
        yield url


@pytest.fixture
def studio(studio_url: str, redis_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{studio_url}/label-studio", timeout=10) as client:
        yield client


def test_the_backend_is_up_while_a_worker_serves_the_model(studio, worker):
    assert studio.get("/object-detection/health").status_code == 503
    worker.beat("vision", models=("object-detection",))
    for path in ("health", ""):
        up = studio.get(f"/object-detection/{path}")
        assert (up.status_code, up.json()["status"]) == (200, "UP")
    assert studio.get("/nope/health").status_code == 404


def test_setup_tells_the_version_of_the_model(studio):
    body = {
        "project": "1.1700000000",
        "schema": BOXES,
        "hostname": "http://localhost:8080",
        "access_token": "t",
        "extra_params": None,
    }
    answer = studio.post("/object-detection/setup", json=body)
    assert (answer.status_code, answer.json()) == (200, {"model_version": "object-detection:1"})
    new = studio.post("/object-detection/setup", json={**body, "schema": "<View></View>"})
    assert new.status_code == 200, "a project may get its controls later"
    wrong = studio.post("/object-detection/setup", json={**body, "schema": CHOICES})
    assert wrong.status_code == 400
    assert "add one of RectangleLabels" in wrong.json()["error"]


def test_boxes_have_the_names_and_labels_of_the_project(studio, serving):
    direct = studio.post(
        "/object-detection/predict", json=asked(BOXES, {"picture": uri(png((40, 21)))})
    )
    [found] = direct.json()["results"]
    assert found["model_version"] == "object-detection:1"
    assert 0 < found["score"] <= 1
    for result in found["result"]:
        assert (result["from_name"], result["to_name"]) == ("frame", "photo")
        assert (result["original_width"], result["original_height"]) == (40, 21)
        assert result["type"] == "rectanglelabels"
        [label] = result["value"]["rectanglelabels"]
        assert label in ("Boot", "Ferry", "gig", "hull", "skiff", "tug"), "wherry is not there"
    assert found["result"], "the stub finds something"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_boxes_are_told_in_the_picture_as_it_is_shown(studio, serving, kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying
    files = [io.BytesIO() for _ in range(5)]
    for shade, file in enumerate(files):
        Image.new("RGB", (40, 20), (shade, 0, 0)).save(file, kind, exif=exif)
    data = [{"picture": uri(file.getvalue())} for file in files]
    answer = studio.post("/object-detection/predict", json=asked(BOXES, *data))
    results = [r for found in answer.json()["results"] for r in found["result"]]
    sizes = {(r["original_width"], r["original_height"]) for r in results}
    assert sizes == {(20, 40)}


def test_many_tasks_keep_their_order_and_a_bad_one_is_empty(studio, serving):
    good = [{"picture": base64.b64encode(png((8 + n, 4))).decode()} for n in range(90)]
    data = [*good[:40], {"picture": "https://example.org/a.png"}, {"other": "x"}, *good[40:]]
    body = studio.post("/object-detection/predict", json=asked(BOXES, *data)).json()
    results = body["results"]
    assert len(results) == 92
    assert "URL" in results[40]["error"]
    assert "data.picture" in results[41]["error"]
    assert [results[n]["result"] for n in (40, 41)] == [[], []]
    widths = [r["result"][0]["original_width"] for r in results if r["result"]]
    assert widths == sorted(widths)
    assert len(widths) > 30
    assert [n for n, result in enumerate(results) if "error" in result] == [40, 41]


def test_what_may_go_better_later_fails_the_call(studio, worker, texts):
    for number in range(50):  # as many as may wait
        studio.post("/../v2/models/embedding/jobs", json=texts("x", id=f"w{number}"))
    answer = studio.post("/object-detection/predict", json=asked(BOXES, {"picture": uri(png())}))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


def test_a_text_gets_the_surest_choice_that_the_project_has(studio, serving):
    body = asked(CHOICES, {"review": "a fine boat"}, {"review": "leaks"}, {"review": 7})
    results = studio.post("/text-classification/predict", json=body).json()["results"]
    for found in results[:2]:
        assert len(found["result"]) <= 1
        for result in found["result"]:
            assert result["from_name"] == "mood"
            assert result["value"]["choices"] in (["good"], ["Bad"])
    assert "expected text" in results[2]["error"]


def test_files_of_label_studio_are_read_where_they_lie(studio, serving):
    data = [
        {"picture": "/data/upload/1/a%20b.png"},
        {"picture": "/data/local-files/?d=sea%20side/a%20b.png"},
        {"picture": "/data/upload/1/gone.png"},
        {"picture": "/data/upload/../secret.png"},
        {"picture": "/data/upload/link.png"},
        {"picture": "/data/local-files/?d=../secret.png"},
        {"picture": "/data/local-files/?d=/etc/passwd"},
        {"picture": "/data/upload/%00"},
    ]
    body = studio.post("/object-detection/predict", json=asked(BOXES, *data)).json()
    told = [result.get("error", "") for result in body["results"]]
    assert told[:2] == ["", ""]
    assert all("there is no such file" in error for error in told[2:]), told


def test_without_folders_their_settings_are_named(http, serving):
    body = asked(BOXES, {"picture": "/data/upload/1/a.png"}, {"picture": "/data/local-files/?d=a"})
    results = http.post("/label-studio/object-detection/predict", json=body).json()["results"]
    assert "WHERRY_LABEL_STUDIO_UPLOADS" in results[0]["error"]
    assert "WHERRY_LABEL_STUDIO_LOCAL_FILES" in results[1]["error"]


def test_masks_are_strokes_or_polygons_as_the_project_has_them(studio, serving):
    for tag, kind in (("BrushLabels", "rle"), ("PolygonLabels", "points")):
        labels = "".join(f'<Label value="{name}"/>' for name in ("boat", "sea", "sky", "object"))
        config = (
            f'<View><Image name="i" value="$i"/><{tag} name="m" toName="i">{labels}</{tag}></View>'
        )
        body = asked(config, {"i": uri(png((64, 48)))})
        [found] = studio.post("/image-segmentation/predict", json=body).json()["results"]
        assert "error" not in found
        assert all(kind in result["value"] for result in found["result"])
        assert found["result"]


def test_webhooks_are_heard_and_ignored(studio):
    started = {"action": "START_TRAINING", "project": {"id": 1, "label_config": BOXES}}
    answer = studio.post("/object-detection/webhook", json=started)
    assert (answer.status_code, answer.json()["status"]) == (200, "ignored")
    told = studio.get("/object-detection/versions").json()
    assert told["versions"] == ["object-detection:1"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"tasks": [], "label_config": "<View>"}, "not XML"),
        ({"tasks": [], "label_config": '<!DOCTYPE a [<!ENTITY b "c">]><View/>'}, "document type"),
        ({"tasks": [], "label_config": None}, "expected a text of XML"),
        ({"tasks": {}, "label_config": BOXES}, "expected a list"),
        ({"tasks": [], "label_config": CHOICES}, "add one of RectangleLabels"),
    ],
)
def test_what_cannot_be_understood_is_said(studio, body, says):
    answer = studio.post("/object-detection/predict", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_a_task_that_cannot_be_shown_is_refused(studio):
    answer = studio.post("/embedding/setup", json={"schema": CHOICES})
    assert answer.status_code == 400
    assert "has no way to show what embedding answers" in answer.json()["error"]


def test_every_task_is_shown_by_a_known_control_or_by_none():
    shown = {name: sorted(kinds_of(get_task(name))) for name in task_names()}
    assert shown["object-detection"] == ["rectanglelabels"]
    assert shown["image-segmentation"] == ["brushlabels", "polygonlabels"]
    assert shown["keypoint-detection"] == ["keypointlabels"]
    assert shown["token-classification"] == ["labels"]
    assert shown["optical-character-recognition"] == ["rectangle", "textarea"]
    assert shown["automatic-speech-recognition"] == ["textarea"]
    assert shown["image-classification"] == shown["audio-classification"] == ["choices"]
    assert shown["embedding"] == shown["text-to-speech"] == []


def test_labels_of_every_control_are_read():
    config = read_config(BOXES)
    assert config.labels() == ["Boot", "Ferry", "gig", "hull", "skiff", "tug"]
    [photo] = config.objects("image")
    control = config.control("rectanglelabels", photo)
    assert control is not None
    assert control.labels["barge"] == "Boot"
    found = {"type": "rectanglelabels", "value": {"rectanglelabels": ["wherry"]}}
    assert config.fit([found], photo) == [], "a label that the project lacks cannot be shown"
    assert config.objects("text") == config.annotated(["rectanglelabels"], "text") == []
    with pytest.raises(InvalidRequest):
        read_config("x" * 1_000_001)


@pytest.mark.parametrize("begin", ["data:image/png;base64,", ""])
def test_nothing_holds_on_to_a_file_that_was_read(begin: str) -> None:
    """urllib keeps what it took apart: two copies of each of the last 128 photographs."""
    task = get_task("object-detection")
    call, places = (
        PredictCall(task, read_config(BOXES), kinds_of(task)),
        MediaPlaces(None, None, NO_FILES),
    )
    file = begin + base64.b64encode(png() + bytes(100_000)).decode()
    held = sys.getrefcount(file)
    (rows,) = read_tasks([{"data": {"picture": file}}], call, places)
    assert isinstance(rows, list), rows
    assert sys.getrefcount(file) == held
