from __future__ import annotations

import httpx
import pytest

from .conftest import MODELS, Server

INFER = "/v2/models/embedding/infer"


def test_the_api_needs_no_weights(api_settings, jobs_settings, tmp_path, redis_url, texts):
    """The package is the worker's to have."""
    path = tmp_path / "models.toml"
    path.write_text(MODELS + 'source = "package:no_such_package/weights"\n')
    settings = api_settings.model_copy(update={"models": path})
    with Server(settings, jobs_settings) as url, httpx.Client(base_url=url) as http:
        assert http.get("/v2/models/embedding").json()["versions"] == ["1", "2"]
        assert http.post("/v2/models/embedding/jobs", json=texts("a")).status_code == 202


@pytest.fixture
def strict(api_settings, jobs_settings, redis_url):
    settings = api_settings.model_copy(update={"strict_parameters": True})
    with Server(settings, jobs_settings) as url, httpx.Client(base_url=url) as client:
        yield client


def test_a_strict_server_refuses_what_nobody_reads(strict, serving, texts):
    answer = strict.post(INFER, json=texts("a", parameters={"normalise": True}))
    assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_request")
    assert answer.json()["error"] == "unknown parameter 'normalise', did you mean 'normalize'?"
    known = {
        "normalize": False,
        "priority": 1,
        "timeout": 10**9,
        "on_row_error": "skip",
        "binary_data_output": True,
        "content_type": "str",
    }
    assert strict.post(INFER, json=texts("a", parameters=known)).status_code == 200
    odd = texts("a", outputs=[{"name": "embedding", "parameters": {"top_n": 1}}])
    answer = strict.post(INFER, json=odd)
    assert answer.status_code == 400
    assert answer.json()["error"] == "output 'embedding': unknown parameter 'top_n'"
