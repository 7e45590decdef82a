"""Which server a client talks to, and with which key."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from urllib.parse import unquote

import httpx

from .errors import UsageError

#: Where a fleet is when nothing else is said: `wherry up`'s own port.
DEFAULT_URL = "http://127.0.0.1:8750"

#: How many ports there are.
_PORTS = 65_536


def base_url(url: str | None) -> str:
    """The server's address: as given, else WHERRY_URL, else the local stack.

    Raises UsageError for one that leads nowhere, which no patience would help.
    """
    found = (url or os.environ.get("WHERRY_URL") or DEFAULT_URL).rstrip("/")
    if not is_web_url(found):
        raise UsageError(f"url {found!r}: expected one like {DEFAULT_URL}")
    return found


def is_web_url(text: str) -> bool:
    """Whether a text is a URL that HTTP can ask: a host, and a port that there may be."""
    try:
        parts = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    is_host = len(unquote(parts.host).split()) == 1
    return parts.scheme in ("http", "https") and is_host and (parts.port or 0) < _PORTS


def trusted() -> ssl.SSLContext | bool:
    """Whom to trust for https://: the authorities of WHERRY_CA_FILE besides httpx's own.

    Raises UsageError for a file that holds none.
    """
    path = os.environ.get("WHERRY_CA_FILE", "")
    if not path:
        return True
    context = httpx.create_ssl_context()
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise UsageError(f"WHERRY_CA_FILE: {path}: holds no certificate as PEM") from None
    except OSError as error:
        raise UsageError(f"WHERRY_CA_FILE: {path}: {error.strerror}") from None
    return context


def key_headers(key: str | None) -> dict[str, str]:
    """The API key as a header: as given, else WHERRY_API_KEY, else the file WHERRY_API_KEY_FILE.

    Raises UsageError for a file that cannot be read, and for a key that is no word.
    """
    found = key or os.environ.get("WHERRY_API_KEY", "")
    path = os.environ.get("WHERRY_API_KEY_FILE", "")
    if not found and path:
        try:
            found = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"WHERRY_API_KEY_FILE: {path}: {error}") from None
    found = found.strip()
    # Its text is kept out of the error: it may be half a key.
    if not all("!" <= character <= "~" for character in found):
        raise UsageError("the API key: expected one word of plain letters and digits")
    return {"Authorization": f"Bearer {found}"} if found else {}
