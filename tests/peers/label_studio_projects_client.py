"""A real Label Studio server with a project for each kind of work; prints a line of JSON a fact.

Usage: label_studio_projects_client.py FLEET_URL FOLDER. FOLDER/local has the files that the server
points at, FOLDER/s3.json where its bucket is.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import requests
from label_studio_sdk import LabelStudio
from label_studio_served import HEADERS, TOKEN, served

FLEET, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
LOCAL = FOLDER / "local"
S3 = json.loads((FOLDER / "s3.json").read_text())


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def labels(tag: str, name: str, to: str, values: list[str], more: str = "") -> str:
    one = "Choice" if tag == "Choices" else "Label"
    inside = "".join(f'<{one} value="{value}"{more}/>' for value in values)
    return f'<{tag} name="{name}" toName="{to}"{more}>{inside}</{tag}>'


def view(*parts: str) -> str:
    return f"<View>{''.join(parts)}</View>"


IMAGE = '<Image name="image" value="$image"/>'
SHAPES = ["circle", "square", "triangle"]
BOXES = view(IMAGE, labels("RectangleLabels", "box", "image", SHAPES))


class Project:
    """A project with a model of the fleet's behind it."""

    def __init__(self, studio: LabelStudio, url: str, name: str, model: str, config: str) -> None:
        self._studio, self._url, self._name = studio, url, name
        self.id = studio.projects.create(title=f"{name} works", label_config=config).id
        self.backend = studio.ml.create(
            url=f"{FLEET}/label-studio/{model}", project=self.id, title=model, is_interactive=True
        )
        state = studio.ml.get(self.backend.id).state
        say(project=name, fact="connected", state=state)

    def tasks(self, *data: dict[str, Any]) -> None:
        sent = requests.post(
            f"{self._url}/api/projects/{self.id}/import", headers=HEADERS, json=data, timeout=60
        )
        sent.raise_for_status()

    def first(self) -> Any:
        return next(iter(self._studio.tasks.list(project=self.id, fields="all")))

    def predict(self) -> None:
        asked = requests.post(
            f"{self._url}/api/dm/actions?id=retrieve_tasks_predictions&project={self.id}",
            headers=HEADERS,
            json={"selectedItems": {"all": True, "excluded": []}},
            timeout=300,
        )
        say(project=self._name, fact="asked", status=asked.status_code, text=asked.text[:1500])
        for task in self._studio.tasks.list(project=self.id, fields="all"):
            found = self._studio.predictions.list(task=task.id)
            results = [result for one in found for result in one.result]
            say(project=self._name, fact="task", data=task.data, count=len(found), results=results)

    def interact(self, name: str, *regions: dict[str, Any]) -> None:
        answer = requests.post(
            f"{self._url}/api/ml/{self.backend.id}/interactive-annotating",
            headers=HEADERS,
            json={"task": self.first().id, "context": {"result": list(regions)}},
            timeout=120,
        )
        say(project=self._name, fact=name, status=answer.status_code, answer=answer.json())

    def train(self) -> None:
        answer = requests.post(
            f"{self._url}/api/ml/{self.backend.id}/train", headers=HEADERS, json={}, timeout=60
        )
        state = self._studio.ml.get(self.backend.id)
        say(
            project=self._name,
            fact="trained",
            status=answer.status_code,
            text=answer.text[:300],
            state=state.state,
            error=state.error_message,
        )


def region(kind: str, label: str, **value: Any) -> dict[str, Any]:
    return {
        "id": "prompt",
        "type": kind,
        "from_name": "click" if kind == "keypointlabels" else "frame",
        "to_name": "image",
        "original_width": 96,
        "original_height": 64,
        "image_rotation": 0,
        "is_positive": True,
        "value": {**value, kind: [label]},
    }


def local(name: str) -> str:
    return f"/data/local-files/?d={name}"


def pictures(studio: LabelStudio, url: str) -> None:
    project = Project(studio, url, "local", "object-detection", BOXES)
    storage = studio.import_storage.local.create(
        project=project.id,
        path=str(LOCAL / "photos"),
        regex_filter=".*png",
        use_blob_urls=True,
        title="photos",
    )
    studio.import_storage.local.sync(storage.id)
    project.predict()
    project.train()

    for name, presign in (("s3", False), ("s3 presigned", True)):
        project = Project(studio, url, name, "object-detection", BOXES)
        bucket = studio.import_storage.s3.create(
            project=project.id,
            title="bucket",
            bucket=S3["bucket"],
            prefix="photos",
            regex_filter=".*png",
            use_blob_urls=True,
            presign=presign,
            aws_access_key_id="id",
            aws_secret_access_key="secret",
            region_name="us-east-1",
            s3endpoint=S3["endpoint"],
        )
        studio.import_storage.s3.sync(bucket.id)
        project.predict()

    two = view(
        '<Image name="left" value="$a"/><Image name="right" value="$b"/>',
        labels("RectangleLabels", "on-left", "left", SHAPES),
        labels("RectangleLabels", "on-right", "right", SHAPES),
    )
    project = Project(studio, url, "two", "object-detection", two)
    project.tasks({"a": local("photos/0.png"), "b": local("photos/1.png")})
    project.predict()

    pages = view(
        '<Image name="pages" valueList="$pages"/>',
        labels("RectangleLabels", "box", "pages", SHAPES),
    )
    project = Project(studio, url, "pages", "object-detection", pages)
    project.tasks({"pages": [local("photos/0.png"), local("photos/1.png")]})
    project.predict()


def regions(studio: LabelStudio, url: str, names: dict[str, list[str]]) -> None:
    for name, model, tag in (
        ("keypoints", "keypoint-detection", "KeyPointLabels"),
        ("brush", "image-segmentation", "BrushLabels"),
        ("polygons", "image-segmentation", "PolygonLabels"),
    ):
        config = view(IMAGE, labels(tag, "region", "image", names[model]))
        project = Project(studio, url, name, model, config)
        project.tasks({"image": local("photos/0.png")}, {"image": local("photos/1.png")})
        project.predict()

    film = view(
        '<Video name="film" value="$video"/>',
        labels("Choices", "is", "film", names["video-classification"]),
    )
    project = Project(studio, url, "film", "video-classification", film)
    project.tasks({"video": local("film.gif")})
    project.predict()

    speech = view(
        '<Audio name="sound" value="$audio"/>',
        labels("Labels", "who", "sound", ["Speech", "Noise"]),
        '<TextArea name="said" toName="sound" perRegion="true"/>',
    )
    project = Project(studio, url, "speech", "automatic-speech-recognition", speech)
    project.tasks({"audio": local("speech.wav")})
    project.predict()


def prompts(studio: LabelStudio, url: str) -> None:
    smart = ' smart="true"'
    config = view(
        IMAGE,
        labels("BrushLabels", "mask", "image", ["Boat", "Sea"]),
        labels("KeyPointLabels", "click", "image", ["Boat", "Sea"], smart),
        labels("RectangleLabels", "frame", "image", ["Boat", "Sea"], smart),
    )
    project = Project(studio, url, "smart", "mask-generation", config)
    project.tasks({"image": local("photos/0.png")})
    project.interact("click", region("keypointlabels", "Boat", x=25, y=40, width=0.3))
    frame = region("rectanglelabels", "Sea", x=4, y=15, width=40, height=60, rotation=0)
    project.interact("frame", frame)
    project.interact("nothing")
    project.interact("odd", {**frame, "type": "brushlabels"})


def main() -> None:
    names = json.loads((FOLDER / "labels.json").read_text())
    serving = {
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(LOCAL),
    }
    with served(FOLDER, **serving) as url:
        studio = LabelStudio(base_url=url, api_key=TOKEN)
        pictures(studio, url)
        regions(studio, url, names)
        prompts(studio, url)


main()
