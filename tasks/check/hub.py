"""Hub ids: whether a model is in the cache, or the hub can be reached. Seconds, not a minute."""

from __future__ import annotations

import functools
import os
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

#: Seconds that the hub may take to show that it is there.
_TIMEOUT_S = 2.0

#: Seconds for which its answer stands for all models.
_REMEMBERED_S = 10

_TRUE = frozenset({"1", "on", "yes", "true"})


def cached(source: str) -> Path | None:
    """The newest snapshot of a hub model in the cache of huggingface_hub; None when there is none.

    Found by hand: the library is not installed everywhere, and takes a second to import.
    """
    snapshots = _cache() / f"models--{source.replace('/', '--')}" / "snapshots"
    try:
        found = [folder for folder in snapshots.iterdir() if (folder / "config.json").exists()]
    except OSError:
        return None
    return max(found, key=lambda folder: folder.stat().st_mtime, default=None)


def _cache() -> Path:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(home).expanduser() / "hub"


def why_unreachable() -> str:
    """Why no model can be downloaded now; "" when one can."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "").lower() in _TRUE:
            return f"{name} is set"
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    return _knock(endpoint, int(time.monotonic() / _REMEMBERED_S))


@functools.lru_cache(maxsize=4)
def _knock(endpoint: str, _: int) -> str:
    """Ask for the hub's front page, once for many models; through the environment's proxies."""
    if not endpoint.startswith(("http://", "https://")):
        return f"HF_ENDPOINT {endpoint!r} is no http URL"
    request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 # http, seen above
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 # likewise
            return ""
    except urllib.error.HTTPError:
        return ""  # it answers
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return ""  # its certificate is the library's business
        return f"{endpoint} cannot be reached ({error.reason})"
    except OSError as error:
        return f"{endpoint} cannot be reached ({error})"
