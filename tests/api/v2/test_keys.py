"""Keys by HTTP: who asks, and what the operator makes and revokes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings

from ..conftest import Server
from ..keyed import KEYS, Tenants

ADMIN = {"scopes": ["admin"]}


@pytest.fixture
def fresh(models_file: Path, server: str, redis_url: str) -> Iterator[httpx.Client]:
    """A client of a server that has seen no key."""
    jobs = JobsSettings(redis_url=server, key_prefix="fresh-keys")
    with Server(ApiSettings(models=models_file), jobs) as url, httpx.Client(base_url=url) as client:
        yield client


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_keys_are_made_listed_and_revoked(fresh: httpx.Client) -> None:
    assert fresh.get("/v2/caller").json()["keys_needed"] is False
    first = fresh.post("/v2/keys", json=ADMIN)
    assert first.status_code == 201, first.text
    assert first.headers["cache-control"] == "no-store"
    admin = bearing(first.json()["key"])

    assert fresh.get("/v2/caller").status_code == 401
    wanted = {"tenant": "acme", "weight": 3, "expires_in_days": 1, "note": "for a test"}
    made = fresh.post("/v2/keys", json=wanted, headers=admin).json()
    acme = bearing(made["key"])
    assert fresh.get("/v2/caller", headers=acme).json() == {
        "tenant": "acme",
        "scopes": ["read", "submit"],
        "keys_needed": True,
        "weight": 3.0,
        "max_waiting": 0,
        "max_waiting_bytes": 0,
        "submits_per_s": 0.0,
    }

    listed = fresh.get("/v2/keys", headers=admin)
    assert [(key["tenant"], key["in_file"]) for key in listed.json()["keys"]] == [
        (None, False),
        ("acme", False),
    ]
    assert made["key"] not in listed.text
    assert "hash" not in listed.text

    assert fresh.delete(f"/v2/keys/{made['id']}", headers=admin).status_code == 204
    assert fresh.get("/v2/caller", headers=acme).status_code == 401
    assert fresh.delete(f"/v2/keys/{made['id']}", headers=admin).status_code == 404


def test_the_first_key_is_an_admins(fresh: httpx.Client) -> None:
    answer = fresh.post("/v2/keys", json={"tenant": "acme"})
    assert answer.status_code == 409
    assert "the first key has to be an admin's" in answer.text
    assert fresh.get("/v2/keys").json() == {"keys": []}


def test_a_key_that_another_sites_page_asks_for_is_not_made(fresh: httpx.Client) -> None:
    plain = {"Content-Type": "text/plain"}
    answer = fresh.post("/v2/keys", content='{"scopes": ["admin"]}', headers=plain)
    assert answer.status_code == 400
    assert fresh.get("/v2/keys").json() == {"keys": []}


def test_a_key_of_the_file_is_the_files(tenants: Tenants) -> None:
    listed = tenants["admin"].get("/v2/keys").json()["keys"]
    assert {key["id"] for key in listed if key["in_file"]} == {
        made.key.id for made in KEYS.values()
    }
    answer = tenants["admin"].delete(f"/v2/keys/{KEYS['beta'].key.id}")
    assert answer.status_code == 409
    assert "is in the file of keys" in answer.text
    assert tenants["beta"].get("/v2/caller").json()["tenant"] == "beta"


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"tenant": "A b", "scopes": ["read"]}, "tenant"),
        ({"tenant": "acme", "scopes": ["root"]}, "scopes"),
        ({"tenant": "acme", "weight": 0}, "weight"),
        ({"tenant": "acme", "expires_in_days": -1}, "expires_in_days"),
        ({"tenant": "acme", "surprise": 1}, "surprise"),
        ({"scopes": ["read"]}, "names no tenant"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_by_name(
    tenants: Tenants, wanted: dict[str, object], named: str
) -> None:
    answer = tenants["admin"].post("/v2/keys", json=wanted)
    assert answer.status_code == 400
    assert named in answer.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_keys_are_the_operators(tenants: Tenants, method: str) -> None:
    assert tenants["acme"].request(method, "/v2/keys", json=ADMIN).status_code == 403
    assert tenants["reader"].get("/v2/caller").json()["scopes"] == ["read"]
