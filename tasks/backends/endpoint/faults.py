"""What can be wrong with a request, by whose fault it is."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

from pydantic_core import from_json

from ....protocol.errors import RowError

#: Characters of a server's own words that a row's error quotes.
_QUOTED = 300

#: Answers that say nothing of the row: not now, or a gateway's.
_BUSY = frozenset({408, 425, 429, 502, 503, 504, 529})

#: Answers that say something of the endpoint itself: no such model or path, no such key, no money.
_ASTRAY = frozenset({401, 402, 404, 405, 407})


class EndpointFault(Exception):
    """The row is not at fault. The text is for operators, and holds no secret."""


class EndpointBusyError(EndpointFault):
    """Not now; after so many seconds, where the server says."""

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class AwayError(EndpointFault):
    """No server, or none that would answer any row; with its status, if it answered at all."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class BrokenError(EndpointFault):
    """The answer broke off, or did not come in time, or the server raised: it may be the row's
    doing after all, so it is tried some times only. What was answered may have counted tokens.
    """

    def __init__(self, text: str, tokens_in: int = 0, tokens_out: int = 0) -> None:
        super().__init__(text)
        self.tokens_in, self.tokens_out = tokens_in, tokens_out


def check_status(
    status: int, headers: Mapping[str, str], body: bytes, *, has_answered: bool, hidden: set[str]
) -> None:
    """Raise what an answer means that is no good one. `hidden` is told to nobody."""
    if 200 <= status < 300:
        return
    if status in _BUSY:
        raise EndpointBusyError(
            f"it answers {status}", retry_after_s(headers.get("retry-after", ""))
        )
    if status in _ASTRAY or 300 <= status < 400 or (status == 403 and not has_answered):
        raise AwayError(f"it answers {status}{_MEANING.get(status, '')}", status)
    said = quoted(body, hidden)
    if status >= 500:
        raise BrokenError(f"the endpoint answered {status}{said}")
    raise RowError(f"the endpoint answered {status}{said}")


_MEANING = {
    401: ": is the key right?",
    402: ": is it paid for?",
    403: ": may this key use the model?",
    404: ": are source and model right?",
    405: ": are source and protocol right?",
}


def quoted(body: bytes, hidden: set[str]) -> str:
    """A server's own words, short and on one line, without what is hidden."""
    try:
        said = _message(from_json(body[:100_000]))
    except ValueError:
        said = body[: 4 * _QUOTED].decode(errors="replace")
    text = "".join(c if c.isprintable() else " " for c in " ".join(str(said).split()))
    for secret in hidden:
        text = text.replace(secret, "…")
    if len(text) > _QUOTED:
        text = text[: _QUOTED - 1] + "…"
    return f": {text}" if text else ""


def _message(document: object) -> object:
    """The message in what servers answer: `{"error": {"message": ...}}`, and shorter forms."""
    for name in ("error", "detail", "message"):
        if isinstance(document, dict) and name in document:
            return _message(document[name])
    return document


def retry_after_s(told: str) -> float | None:
    """What a Retry-After says: seconds, or a date."""
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return None
