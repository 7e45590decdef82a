"""A real Label Studio server in front of our ML backend; prints a line of JSON a fact.

Usage: label_studio_server_client.py BACKEND_URL FOLDER: starts the server of this environment with
its data in FOLDER/data, makes a project of FOLDER/*.png by FOLDER/config.xml, adds the backend and
asks for predictions; then imports FOLDER/predictions.json, which `wherry annotate` wrote, and
FOLDER/picks.json, which `wherry runs pick` did, each into a project of its own.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import requests
from label_studio_sdk import LabelStudio
from label_studio_served import HEADERS, TOKEN, served

BACKEND, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
CONFIG = (FOLDER / "config.xml").read_text()


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main() -> None:
    with served(FOLDER) as url:
        drive(LabelStudio(base_url=url, api_key=TOKEN), url)


def drive(studio: LabelStudio, url: str) -> None:
    project = studio.projects.create(title="boats", label_config=CONFIG)
    for picture in sorted(FOLDER.glob("*.png")):
        with picture.open("rb") as file:
            sent = requests.post(
                f"{url}/api/projects/{project.id}/import",
                headers=HEADERS,
                files={picture.name: (picture.name, file, "image/png")},
                timeout=60,
            )
        sent.raise_for_status()
    backend = studio.ml.create(url=BACKEND, project=project.id, title="wherry")
    say(call="create", state=studio.ml.get(backend.id).state, title=backend.title)
    versions = studio.ml.list_model_versions(str(backend.id))
    say(call="versions", versions=versions.versions)
    asked = requests.post(
        f"{url}/api/dm/actions?id=retrieve_tasks_predictions&project={project.id}",
        headers=HEADERS,
        json={"selectedItems": {"all": True, "excluded": []}},
        timeout=120,
    )
    say(call="retrieve", status=asked.status_code, text=asked.text[:500])
    show(studio, project.id, "predicted")
    take_in(studio, url, "predictions.json", "import")
    take_in(studio, url, "picks.json", "pick")


def take_in(studio: LabelStudio, url: str, name: str, call: str) -> None:
    project = studio.projects.create(title=name, label_config=CONFIG)
    imported = requests.post(
        f"{url}/api/projects/{project.id}/import",
        headers={**HEADERS, "Content-Type": "application/json"},
        data=(FOLDER / name).read_bytes(),
        timeout=120,
    )
    say(call=call, status=imported.status_code, text=imported.text[:500])
    show(studio, project.id, f"{call}ed")


def show(studio: LabelStudio, project: int, call: str) -> None:
    for task in studio.tasks.list(project=project, fields="all"):
        found = studio.predictions.list(task=task.id)
        predictions = [
            {"model_version": p.model_version, "score": p.score, "result": p.result} for p in found
        ]
        say(call=call, image=task.data["image"], predictions=predictions)


main()
