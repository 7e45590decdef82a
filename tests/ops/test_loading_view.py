"""What a stack that starts says of the models that its workers load."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from wherry.ops import loading_view
from wherry.ops.loading_view import LoadingView


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading_view, "_EVERY_S", 0.0)


def worker(pid: int, *left: str, **changes: object) -> dict[str, Any]:
    said = {
        "alive": True,
        "state": "loading",
        "pid": pid,
        "loading": [f"{name}/1" for name in left],
    }
    return {**said, **changes}


def test_each_model_is_named_once_with_its_place() -> None:
    said: list[tuple[str, str]] = []
    view = LoadingView("http://fleet", lambda name, line: said.append((name, line)))
    looks = iter(
        [
            [worker(1, "a", "b", "c"), worker(2, "x"), worker(9, "another's")],
            [worker(1, "a", "b", "c"), worker(2, "x", alive=False)],
            [worker(1, "c")],
            [worker(1), worker(2, state="ready")],
        ]
    )

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"workers": next(looks)})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        for _ in range(4):
            view.look(http, {1: "worker-text", 2: "worker-vision", None: "flower"})
    assert said == [
        ("worker-text", "loading a (1 of 3)"),
        ("worker-vision", "loading x (1 of 1)"),
        ("worker-text", "loading c (3 of 3)"),
    ]


def test_an_api_that_does_not_tell_is_no_fault() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"error": "an admin's key"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        LoadingView("http://fleet", lambda *_: pytest.fail("nothing is known")).look(http, {})
