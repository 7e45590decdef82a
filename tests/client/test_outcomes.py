"""Many calls of one command, and what stops them."""

from __future__ import annotations

from wherry.client.outcomes import attempt
from wherry.protocol.errors import NotReplicated, Unavailable, WherryError


def test_the_rest_is_not_tried_once_the_server_is_away() -> None:
    sent = []

    def failing(error: WherryError) -> str:
        sent.append(error)
        raise error

    lacking, away = NotReplicated("taken, but not by replicas"), Unavailable("away")
    calls = [("a", lacking), ("b", lacking), ("c", away), ("d", lacking)]
    found = dict(attempt((name, lambda error=error: failing(error)) for name, error in calls))  # type: ignore[misc] # a default binds it
    assert found == {"a": lacking, "b": lacking, "c": away, "d": away}
    assert sent == [lacking, lacking, away], "what was not sent is not told to be taken"
