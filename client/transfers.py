"""Large bodies on their way to a server and back, little of which is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from .address import trusted
from .flow import error_of, failed, reply_of

if TYPE_CHECKING:
    from .client import Client

#: Seconds without a byte after which a transfer is given up.
_TRANSFER_S = 120.0


def send(
    client: Client,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    **body: Any,  # httpx's own: content, or data and files
) -> dict[str, Any]:
    """Send a body; the document that is answered. Raises WherryError."""
    try:
        answer = httpx.post(
            f"{client.url}{path}",
            headers={**client.headers, **(headers or {})},
            timeout=_TRANSFER_S,
            verify=trusted(),
            **body,
        )
    except httpx.RequestError as error:
        raise error_of(failed(error)) from None
    reply = reply_of(answer)
    if reply.status >= 400:
        raise error_of(reply)
    document: dict[str, Any] = reply.json()
    return document


@contextmanager
def fetched(client: Client, path: str) -> Iterator[httpx.Response]:
    """An answer, to be read as it comes. Raises WherryError, while it is read, too."""
    try:
        with httpx.stream(
            "GET",
            f"{client.url}{path}",
            headers=client.headers,
            timeout=_TRANSFER_S,
            follow_redirects=True,
            verify=trusted(),
        ) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise error_of(reply_of(answer))
            yield answer
    except httpx.RequestError as error:
        raise error_of(failed(error)) from None
