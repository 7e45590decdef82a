"""A log as JSON: an object a line, whatever is logged and by whom."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from wherry.telemetry import logs
from wherry.telemetry.settings import TelemetrySettings


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """As a process that logs JSON; all is as before when the test ends."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers, root.level, sys.excepthook
    kept = {name: vars(logging.getLogger(name)).copy() for name in logs._OWN_HANDLERS}
    monkeypatch.setattr(logs, "_structured", False)
    monkeypatch.setattr("threading.excepthook", sys.unraisablehook)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.start(TelemetrySettings(log_format="json"), level=logging.INFO)
    yield stream
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    for name, fields in kept.items():
        vars(logging.getLogger(name)).update(fields)


def told(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_line_says_when_who_and_what(log: io.StringIO) -> None:
    logging.getLogger("wherry.api").warning("%d jobs\nwait", 3)
    [line] = told(log)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "warning", "logger": "wherry.api", "message": "3 jobs\nwait"}


def test_an_exception_is_a_field_of_its_line(log: io.StringIO) -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        logging.getLogger("wherry").exception("it broke")
    [line] = told(log)
    assert line["message"] == "it broke"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: odd")


def test_what_lines_are_about_stands_in_each(log: io.StringIO) -> None:
    logger = logging.getLogger("wherry")
    with logs.about(model="m/1"), logs.about(jobs=["a", "b"]):
        logger.error("within", extra={"tries": 2})
    logger.error("without")
    within, without = told(log)
    assert (within["model"], within["jobs"], within["tries"]) == ("m/1", ["a", "b"], 2)
    assert "model" not in without


def test_what_fits_no_json_is_told_all_the_same() -> None:
    told = {"msg": "%d", "args": ("no number",), "odd": object(), "nan": float("nan")}
    line = json.loads(logs.JsonFormatter().format(logging.makeLogRecord(told)))
    assert "no number" in line["message"]
    assert line["odd"].startswith("<object")
    assert line["nan"] == "NaN"


def test_what_is_no_text_loses_no_line() -> None:
    loop: list[object] = []
    loop.append(loop)
    for odd in ("photo-\udcff.jpg", b"\xff", loop, {"deep": "\ud800"}):
        told = {"msg": "cannot read %s", "args": (odd,), "odd": odd, "tries": 2}
        line = json.loads(logs.JsonFormatter().format(logging.makeLogRecord(told)))
        assert line["message"].startswith("cannot read ")
        assert (line["odd"] != "", line["tries"]) == (True, 2)
        json.dumps(line, ensure_ascii=False).encode()  # UTF-8 for whoever collects it


def test_uvicorns_and_celerys_lines_come_out_alike(log: io.StringIO) -> None:
    for name in ("uvicorn.error", "celery.worker", "py.warnings"):
        logging.getLogger(name).warning("said")
    assert [line["logger"] for line in told(log)] == [
        "uvicorn.error",
        "celery.worker",
        "py.warnings",
    ]


def test_text_is_left_as_each_program_writes_it() -> None:
    handlers = logging.getLogger().handlers
    logs.start(TelemetrySettings())
    assert logging.getLogger().handlers is handlers
    assert not logs.structured()
