"""A place in a trace as text: read as W3C says, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from wherry.telemetry.trace_context import TraceContext

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_what_was_written_is_read() -> None:
    for state in ("", "vendor=1,other=2"):
        told = TraceContext(PARENT, state)
        assert TraceContext.read(str(told)) == told
    assert told.headers() == {"traceparent": PARENT, "tracestate": "vendor=1,other=2"}
    assert told.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert told.span_id == "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True)]
)
def test_the_first_flag_says_whether_it_is_recorded(flags: str, sampled: bool) -> None:
    assert TraceContext(PARENT[:-2] + flags).sampled is sampled


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "nothing",
        PARENT[:-1],
        PARENT.upper(),
        PARENT.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_what_is_none_is_none(odd: str) -> None:
    assert TraceContext.read(odd) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert TraceContext.read(PARENT.replace("00-", "cc-", 1) + "-more") is not None


@pytest.mark.parametrize("state", ["v=" + "x" * 512, "v=é"])
def test_a_state_that_a_record_cannot_carry_is_left_out(state: str) -> None:
    assert str(TraceContext(PARENT, state)) == PARENT
