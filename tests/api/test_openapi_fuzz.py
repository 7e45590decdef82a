"""Schemathesis on the OpenAPI page, over ASGI: every operation, no 5xx, whatever it generates."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from starlette.testclient import TestClient

from wherry.api.app import create_app
from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings

from .conftest import Worker

pytestmark = [
    pytest.mark.slow,
    # Its plugin and starlette's client warn of their own dependencies.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(1800),
]

#: Requests of each operation; `WHERRY_FUZZ_EXAMPLES=500 make test-slow` looks longer.
EXAMPLES = int(os.environ.get("WHERRY_FUZZ_EXAMPLES", "15"))

#: Streams that end when their job does, which is never here, or with their reader.
ENDLESS = ("/events", ":events", "/stream")


@pytest.fixture
def app(api_settings: ApiSettings, jobs_settings: JobsSettings, redis_url: str) -> Iterator[Any]:
    quick = api_settings.model_copy(update={"infer_timeout_s": 5, "max_wait_s": 0.05})
    app = create_app(quick, jobs_settings)
    with TestClient(app):
        yield app


def test_no_operation_of_the_page_answers_5xx(app: Any, serving: Worker) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    found: list[str] = []
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr] # an Err ends the test here
        if operation.path.endswith(ENDLESS) or operation.path.endswith("/unload"):
            continue
        name = f"{operation.method.upper()} {operation.path}"
        found += [f"{name}: {text}" for text in _tried(operation)]
    assert not found, "\n".join(found)


def _tried(operation: Any) -> list[str]:
    """What was wrong with an operation's answers."""
    wrong: list[str] = []

    def once(case: Any) -> None:
        response = case.call()
        if response.status_code == 503 and operation.path.endswith("/ready"):
            return  # no worker has said that it is there
        if response.status_code >= 500:
            wrong.append(f"{response.status_code} {response.text[:200]} for {case.body!r:.300}")
            return
        try:
            case.validate_response(
                response, checks=(content_type_conformance, response_schema_conformance)
            )
        except Exception as error:  # its failures share no base of one release
            wrong.append(f"{type(error).__name__}: {error!s:.300}")

    test = schemathesis_test(operation, once)
    test()
    return wrong[:3]


def schemathesis_test(operation: Any, once: Any) -> Any:
    """A hypothesis test of one operation's generated cases."""
    from hypothesis import given

    return settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(case=operation.as_strategy())(lambda case: once(case)))
