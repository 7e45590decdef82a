from __future__ import annotations

import io

import pytest
from PIL import Image

from wherry.api.http.openapi_examples import REQUESTS
from wherry.protocol import v2
from wherry.tasks.registry import task_names


def test_the_page_shows_every_task_and_loads_nothing_from_elsewhere(http):
    page = http.get("/docs").text
    assert all(f"/v2/models/{name}/infer" in page for name in task_names())
    for word in ("src=", "https://", "@import", "url("):
        assert word not in page


def test_openapi_describes_every_call(http):
    paths = http.get("/openapi.json").json()["paths"]
    calls = [call for path in paths.values() for call in path.values()]
    assert all(call["description"] for call in calls)
    submit = paths["/v2/models/{model}/jobs"]["post"]
    assert set(submit["requestBody"]["content"]["application/json"]["examples"]) == set(REQUESTS)
    assert {"202", "400", "404", "409", "413", "503"} <= set(submit["responses"])


@pytest.mark.parametrize("name", task_names())
def test_the_examples_work_as_shown(http, serving, name):
    answer = http.post(f"/v2/models/{name}/infer", json=REQUESTS[name])
    assert answer.status_code == 200, answer.text


def test_the_example_image_is_one():
    body = v2.InferenceRequest.parse(REQUESTS["object-detection"])
    [image] = body.input("image").blobs()
    with Image.open(io.BytesIO(image)) as opened:
        assert opened.size == (8, 8)
        opened.load()
