"""The Prefer header (RFC 7240): how long to wait, whether to answer at once, how much to tell."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from ...protocol.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a client would like. Unknown and malformed preferences are ignored, as the RFC asks."""

    #: Seconds to hold the answer; None when nothing was said.
    wait_s: float | None = None
    respond_async: bool = False
    redirect: bool = False
    #: Whether to tell no more than who asks needs to go on (`return=minimal`).
    minimal: bool = False

    @classmethod
    def of(cls, request: Request, longest_s: float) -> Preferences:
        """Read a request's preferences; a wait is bounded by `longest_s`."""
        if "prefer" not in request.headers:
            return _NONE
        words: dict[str, str] = {}
        for header in request.headers.getlist("prefer"):
            for part in header.replace(";", ",").split(","):
                name, _, value = part.partition("=")
                words.setdefault(name.strip().lower(), value.strip().strip('"'))
        wait_s = _seconds(words["wait"]) if "wait" in words else None
        return cls(
            wait_s=None if wait_s is None else min(wait_s, longest_s),
            respond_async="respond-async" in words,
            redirect="redirect" in words,
            minimal=words.get("return") == "minimal",
        )


_NONE = Preferences()


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


def bounded_wait(text: str, longest_s: float) -> float:
    """A `wait` that a client spelt out: seconds. Raises InvalidRequest."""
    seconds = _seconds(text)
    if seconds is None:
        raise InvalidRequest(f"wait: {text[:40]!r} is not a number of seconds")
    return min(seconds, longest_s)


def whole_number(text: str, *, what: str, least: int = 0, most: int = 10**15) -> int:
    """A whole number that a client spelt out. Raises InvalidRequest."""
    if text.isascii() and text.isdigit() and len(text) <= 16 and least <= int(text) <= most:
        return int(text)
    raise InvalidRequest(f"{what}: {text[:40]!r} is not a whole number from {least} to {most}")
