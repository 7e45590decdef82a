from __future__ import annotations

from typing import Any

import pytest

from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.check import Fault, check_model


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERRY_ENDPOINT_HOSTS", "llm.example.org *.models.example.org:8443")
    monkeypatch.delenv("WHERRY_ENDPOINT_SCHEMES", raising=False)


def faults(
    task: str = "chat",
    source: str | None = "https://llm.example.org/v1",
    *,
    handler_dir: str | None = "",
    **parameters: Any,
) -> list[Fault]:
    """What a worker's check finds of an endpoint; another's, without `handler_dir`."""
    declared = ModelDeclaration(
        name="m",
        task=task,
        backend="endpoint",
        source=source,
        parameters={"protocol": "openai", "model": "x", **parameters},
    )
    return check_model(declared, handler_dir=handler_dir)


def test_one_that_is_whole_has_none() -> None:
    assert faults() == []
    assert faults(source="https://a.models.example.org:8443/v1") == []
    assert faults("embedding", "https://llm.example.org", protocol="oip") == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": None}, "source: is missing: the URL of a server"),
        ({"source": "models/vit"}, "source: expected the URL of a server"),
        ({"source": "ftp://llm.example.org"}, "source: expected the URL of a server"),
        ({"source": "https://me:pw@llm.example.org"}, "source: no user and password in a URL"),
        ({"source": "https://llm.example.org/v1?key=k"}, "source: no query in the URL"),
        ({"source": "http://llm.example.org/v1"}, "WHERRY_ENDPOINT_SCHEMES has https"),
        ({"source": "https://other.example.org/v1"}, "is not in WHERRY_ENDPOINT_HOSTS"),
        ({"source": "https://llm.example.org:8000/v1"}, "is not in WHERRY_ENDPOINT_HOSTS"),
        ({"protocol": "opnai"}, "protocol 'opnai' is none; did you mean 'openai'?"),
        ({"model": ""}, "model is missing: what the server of protocol openai calls it"),
        ({"task": "object-detection"}, "protocol openai has no words for object-detection"),
        ({"max_concurent": 3}, "did you mean 'max_concurrent'?"),
        ({"max_concurrent": "many"}, "max_concurrent"),
        ({"max_concurrent": 0}, "max_concurrent is 0: use 1 or more"),
        ({"timeout_s": 0.0}, "timeout_s is 0.0: use 0.001 or more"),
        ({"requests_per_minute": -1}, "requests_per_minute is -1: use 0 for no bound"),
        ({"spend_per_day": 5}, "spend_per_day needs price_in or price_out"),
        ({"key_env": "NO_SUCH_KEY"}, "environment variable 'NO_SUCH_KEY' is not set"),
        ({"headers_env": {"api-key": "NO_SUCH_KEY"}}, "variable 'NO_SUCH_KEY' is not set"),
    ],
)
def test_each_fault_is_told_with_its_field(given: dict[str, Any], said: str) -> None:
    [fault] = faults(**given)
    assert said in fault.text
    assert fault.is_error
    assert "pw" not in fault.text
    assert "key=k" not in fault.text


def test_settings_of_workers_are_a_warning_to_anybody_else() -> None:
    [key, host] = faults(
        source="https://other.example.org/v1", key_env="NO_SUCH_KEY", handler_dir=None
    )
    assert not key.is_error
    assert not host.is_error


def test_a_variable_that_is_set_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_KEY", "secret")
    assert faults(key_env="LLM_KEY", headers_env={"x-team": "LLM_KEY"}) == []
