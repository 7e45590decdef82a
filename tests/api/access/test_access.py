"""Who is let in, with which key, and what a refusal looks like."""

from __future__ import annotations

import base64

import httpx
import pytest

from wherry.api.access import rules
from wherry.api.access.caller import Scope
from wherry.api.access.keys import digest, make, toml_entry
from wherry.api.http.access_guard import token_of

from ..keyed import KEYS, Tenants, bearer, submitted


def test_a_key_fits_itself_alone() -> None:
    token, key = make(tenant="acme", scopes=["submit"])
    assert key.fits(token)
    assert not key.fits(token[:-1] + ("0" if token[-1] != "0" else "1"))
    assert not key.fits(KEYS["acme"].token)


def test_a_key_ends_at_its_time() -> None:
    token, key = make(tenant="acme", scopes=["read"], expires_at="2020-01-01T00:00:00Z")
    assert not key.fits(token)
    assert not KEYS["late"].key.fits(KEYS["late"].token)


def test_what_is_kept_of_a_key_holds_no_secret() -> None:
    token, key = make(tenant="acme", scopes=["submit"], note="ci")
    secret = token.rpartition("_")[2]
    for kept in (key.json_text(), toml_entry(key), repr(key)):
        assert secret not in kept
    assert digest(token) in toml_entry(key)


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant": "acme", "scopes": ["admin"]},
        {"scopes": ["submit"]},
        {"tenant": "a:b", "scopes": ["submit"]},
        {"tenant": "a/b", "scopes": ["submit"]},
        {"tenant": "a" * 33, "scopes": ["submit"]},
        {"tenant": "acme", "scopes": []},
        {"tenant": "acme", "scopes": ["root"]},
        {"tenant": "acme", "scopes": ["submit"], "weight": 0},
        {"tenant": "acme", "scopes": ["submit"], "max_waiting": -1},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        make(**fields)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer KEY"),
        ("authorization", "bearer  KEY"),
        ("Authorization", "KEY"),
        ("Authorization", "BASIC:KEY:"),
        ("Authorization", "BASIC:me:KEY"),
        ("X-API-Key", "KEY"),
    ],
)
def test_a_key_is_taken_as_real_clients_send_it(tenants: Tenants, name: str, value: str) -> None:
    value = value.replace("KEY", KEYS["acme"].token)
    sent = basic(value.removeprefix("BASIC:")) if value.startswith("BASIC:") else value
    assert tenants[""].get("/v2/jobs", headers={name: sent}).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer nonsense",
        f"Bearer {KEYS['acme'].token}0",
        f"Bearer {KEYS['acme'].token[:-1]}",
        f"Bearer wherry_{KEYS['acme'].key.id}_{'0' * 48}",
        f"Bearer {KEYS['late'].token}",
        f"Bearer {KEYS['acme'].key.hash}",
        f"Bearer {make(tenant='acme', scopes=['read']).token}",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        basic("me"),
        basic("me:"),
        "Bearer wherry_\xe9",
    ],
    ids=range(14),  # keys are new in every process, and not for a log
)
def test_no_other_key_is_taken(tenants: Tenants, sent: str) -> None:
    headers = {b"Authorization": sent.encode("latin-1")} if sent else {}
    answer = tenants[""].get("/v2/jobs", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error_type"] == "unauthorized"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert not [part for part in sent.split() if len(part) > 6 and part in answer.text]


def test_the_first_authorization_counts() -> None:
    assert token_of([(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")]) == "a"
    assert token_of([(b"x-api-key", b"b"), (b"authorization", b"Bearer a")]) == "a"


def test_health_needs_no_key(tenants: Tenants) -> None:
    for path in sorted(rules.OPEN):
        assert tenants[""].get(path).status_code != 401, path
    assert tenants[""].get("/v2/health/live").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "where"),
    [
        ("POST", "/v1/chat/completions", "error.message"),
        ("GET", "/v1/files", "error.message"),
        ("POST", "/v1alpha/namespaces/wherry/models/chat/trigger", "message"),
        ("GET", "/pixano/v1/models", "error.message"),
        ("POST", "/models/embedding", "error"),
        ("POST", "/v2/models/embedding/infer", "error"),
        ("GET", "/pixano/app/settings/", "error"),
        ("GET", "/", "error"),
        ("GET", "/docs", "error"),
        ("GET", "/openapi.json", "error"),
        ("GET", "/no/such/path", "error"),
    ],
)
def test_a_refusal_has_the_shape_of_its_surface(
    tenants: Tenants, method: str, path: str, where: str
) -> None:
    answer = tenants[""].request(method, path, json={})
    assert answer.status_code == 401
    found = answer.json()
    for name in where.split("."):
        found = found[name]
    assert found == "an API key is needed: send `Authorization: Bearer wherry_...`"


@pytest.mark.parametrize(
    ("key", "method", "path", "scope"),
    [
        ("reader", "POST", "/v2/models/embedding/jobs", "submit"),
        ("reader", "POST", "/v2/models/embedding/infer", "submit"),
        ("reader", "POST", "/v1/embeddings", "submit"),
        ("reader", "DELETE", "/v1/files/x", "submit"),
        ("reader", "POST", "/v2/jobs/x/cancel", "submit"),
        ("sender", "GET", "/v2/jobs", "read"),
        ("sender", "GET", "/v2/jobs/x/result", "read"),
        ("sender", "POST", "/v2/jobs:status", "read"),
        ("sender", "GET", "/v2/queues", "read"),
        ("sender", "GET", "/v1/files", "read"),
        ("acme", "POST", "/v2/repository/models/embedding/unload", "admin"),
        ("acme", "POST", "/v2/repository/models/embedding/load", "admin"),
        ("acme", "POST", "/v2/repository/models/a%0Ab/load", "admin"),
        ("acme", "GET", "/v2/models/stats", "admin"),
        ("acme", "GET", "/v2/models/embedding/versions/1/stats", "admin"),
        ("acme", "GET", "/v2/models/stats%0A", "admin"),
        ("acme", "GET", "/v2/dead", "admin"),
        ("acme", "GET", "/v2/dead%0A", "admin"),
        ("acme", "POST", "/v2/dead/x/replay", "admin"),
        ("acme", "POST", "/v2/dead:drop", "admin"),
        ("acme", "GET", "/v2/keys", "admin"),
        ("acme", "GET", "/v2/history", "admin"),
        ("acme", "GET", "/v2/webhooks", "admin"),
        ("acme", "POST", "/v2/webhooks:retry", "admin"),
        ("acme", "POST", "/pixano/providers/instantiate", "admin"),
        ("acme", "DELETE", "/pixano/providers/model/embedding", "admin"),
        ("acme", "POST", "/pixano/v1/models", "admin"),
        ("acme", "DELETE", "/pixano/v1/models/embedding", "admin"),
    ],
)
def test_a_refusal_names_the_missing_scope(
    tenants: Tenants, key: str, method: str, path: str, scope: str
) -> None:
    answer = tenants[key].request(method, path)
    assert answer.status_code == 403
    assert f"lacks the scope {scope!r}" in answer.text


@pytest.mark.parametrize("key", ["reader", "sender", "acme", "admin"])
def test_any_key_may_ask_after_models(tenants: Tenants, key: str) -> None:
    for path in (
        "/v2",
        "/v2/models/embedding",
        "/v1/models",
        "/docs",
        "/label-studio/embedding/versions",
    ):
        assert tenants[key].get(path).status_code == 200, path
    assert tenants[key].post("/v2/repository/index", json={}).status_code == 200


def test_an_admin_may_do_everything(tenants: Tenants) -> None:
    admin = tenants["admin"]
    assert admin.post("/v2/repository/models/embedding/unload", json={}).status_code == 200
    assert admin.post("/v2/repository/models/embedding/load", json={}).status_code == 200
    assert admin.get("/v2/models/stats").status_code == 200
    assert admin.get("/v2/jobs").status_code == 200
    assert submitted(admin, "one", id="mine")["id"] == "mine"


def test_a_path_without_a_rule_needs_more_rather_than_less() -> None:
    assert rules.needed("GET", "/v9/new") is Scope.READ
    assert rules.needed("POST", "/v9/new") is Scope.SUBMIT
    assert rules.needed("OPTIONS", "/v2/jobs") is Scope.SUBMIT


def test_a_server_without_keys_serves_everyone(http: httpx.Client) -> None:
    for headers in ({}, bearer("acme"), {"Authorization": "Bearer EMPTY"}):
        assert http.get("/v2/jobs", headers=headers).status_code == 200
        assert http.get("/v2/models/stats", headers=headers).status_code == 200
