"""A real Label Studio server in front of our ML backend; prints a line of JSON a fact.

Usage: label_studio_server_client.py BACKEND_URL FOLDER: starts the server of this environment with
its data in FOLDER/data, makes a project of FOLDER/*.png by FOLDER/config.xml, adds the backend and
asks for predictions; then imports FOLDER/predictions.json, which `wherry annotate` wrote, into
another project.
"""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from typing import Any

import requests
from label_studio_sdk import LabelStudio

BACKEND, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
TOKEN = "0123456789abcdef" * 2 + "01234567"
CONFIG = (FOLDER / "config.xml").read_text()

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    PORT = probe.getsockname()[1]
URL = f"http://127.0.0.1:{PORT}"

data = FOLDER / "data"
data.mkdir(exist_ok=True)
environment = {
    **os.environ,
    "LABEL_STUDIO_BASE_DATA_DIR": str(data),
    # Both servers are on this machine, which it does not allow otherwise.
    "SSRF_PROTECTION_ENABLED": "false",
    "ML_BLOCK_LOCAL_IP": "false",
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
}
command = [
    *(str(pathlib.Path(sys.executable).with_name("label-studio")), "start", "--no-browser"),
    *("--internal-host", "127.0.0.1", "--port", str(PORT), "--data-dir", str(data)),
    *("--username", "a@example.org", "--password", "nine-words-secret"),
    *("--user-token", TOKEN, "--enable-legacy-api-token"),
]


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def wait_until_up(server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 400  # it makes its tables first
    while True:
        try:
            if requests.get(f"{URL}/health", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit((FOLDER / "server.log").read_text()[-3000:])
        time.sleep(0.5)


def main() -> None:
    with (FOLDER / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until_up(server)
        drive(LabelStudio(base_url=URL, api_key=TOKEN))
    finally:
        server.terminate()
        server.wait(20)


def drive(studio: LabelStudio) -> None:
    project = studio.projects.create(title="boats", label_config=CONFIG)
    headers = {"Authorization": f"Token {TOKEN}"}
    for picture in sorted(FOLDER.glob("*.png")):
        with picture.open("rb") as file:
            sent = requests.post(
                f"{URL}/api/projects/{project.id}/import",
                headers=headers,
                files={picture.name: (picture.name, file, "image/png")},
                timeout=60,
            )
        sent.raise_for_status()
    backend = studio.ml.create(url=BACKEND, project=project.id, title="wherry")
    say(call="create", state=studio.ml.get(backend.id).state, title=backend.title)
    versions = studio.ml.list_model_versions(str(backend.id))
    say(call="versions", versions=versions.versions)
    asked = requests.post(
        f"{URL}/api/dm/actions?id=retrieve_tasks_predictions&project={project.id}",
        headers=headers,
        json={"selectedItems": {"all": True, "excluded": []}},
        timeout=120,
    )
    say(call="retrieve", status=asked.status_code, text=asked.text[:500])
    show(studio, project.id, "predicted")
    second = studio.projects.create(title="annotated", label_config=CONFIG)
    imported = requests.post(
        f"{URL}/api/projects/{second.id}/import",
        headers={**headers, "Content-Type": "application/json"},
        data=(FOLDER / "predictions.json").read_bytes(),
        timeout=120,
    )
    say(call="import", status=imported.status_code, text=imported.text[:500])
    show(studio, second.id, "imported")


def show(studio: LabelStudio, project: int, call: str) -> None:
    for task in studio.tasks.list(project=project, fields="all"):
        found = studio.predictions.list(task=task.id)
        predictions = [
            {"model_version": p.model_version, "score": p.score, "result": p.result} for p in found
        ]
        say(call=call, image=task.data["image"], predictions=predictions)


main()
