"""A failure that lasts is told once."""

from __future__ import annotations

import logging

import pytest

from wherry.jobs.outage import Outage
from wherry.protocol.errors import Unavailable

log = logging.getLogger(__name__)


def test_what_lasts_is_told_once_and_again_when_it_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = Outage(log, "it cannot look")
    for fails in (False, True, True, False, True):
        with outage.noted():
            if fails:
                raise Unavailable("Redis is away")
    assert caplog.messages == ["it cannot look: Redis is away"] * 2


def test_a_loop_outlives_a_fault_of_ours_which_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = Outage(log, "it cannot look")
    for fault in (KeyError("a"), KeyError("a"), None, Unavailable("Redis is away")):
        with outage.survived():
            if fault:
                raise fault
    assert caplog.messages == ["it cannot look", "it cannot look: Redis is away"]
    assert "KeyError" in caplog.text


def test_what_is_none_of_our_errors_goes_on() -> None:
    with pytest.raises(KeyError), Outage(log, "it cannot look").noted():
        raise KeyError
