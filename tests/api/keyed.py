"""A server that wants API keys, and the keys that its tests have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from wherry.api.access.keys import Made, make, toml_entry

KEYS: dict[str, Made] = {
    "acme": make(tenant="acme", scopes=["submit", "read"]),
    "acme too": make(tenant="acme", scopes=["submit", "read"]),
    "beta": make(tenant="beta", scopes=["submit", "read"]),
    "sender": make(tenant="acme", scopes=["submit"]),
    "reader": make(tenant="acme", scopes=["read"]),
    "late": make(tenant="acme", scopes=["read"], expires_at="2020-01-01T00:00:00Z"),
    "prometheus": make(scopes=["metrics"]),
    "admin": make(scopes=["admin"]),
}


def write_keys(path: Path, *names: str) -> Path:
    """A file of keys."""
    path.write_text("\n".join(toml_entry(KEYS[name].key) for name in names or KEYS))
    return path


def bearer(name: str) -> dict[str, str]:
    """A key as most clients send it."""
    return {"Authorization": f"Bearer {KEYS[name].token}"}


class Tenants:
    """Clients of one server, one a key."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._open: dict[str, httpx.Client] = {}

    def __getitem__(self, name: str) -> httpx.Client:
        if name not in self._open:
            headers = bearer(name) if name else {}
            self._open[name] = httpx.Client(base_url=self.url, timeout=10, headers=headers)
        return self._open[name]

    def close(self) -> None:
        for client in self._open.values():
            client.close()


def submitted(http: httpx.Client, text: str, **fields: Any) -> dict[str, Any]:
    """Submit a job; its state."""
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    answer = http.post("/v2/models/embedding/jobs", json={"inputs": [tensor], **fields})
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document
