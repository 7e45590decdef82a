"""Logs as one JSON object a line, for whatever collects them.

The standard library's logging with a formatter of our own: what others log comes out alike. Text
stays as each program writes it.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any

from pydantic_core import to_json

from . import traces
from .settings import TelemetrySettings

#: What the lines of this thread or task are about: jobs, a batch, a request.
_about: ContextVar[Mapping[str, Any]] = ContextVar("wherry_log_about", default=MappingProxyType({}))

#: What every record has, which is told under our names or not at all.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

#: Extras of Celery's and uvicorn's that say nothing to whoever reads a log.
_LEFT_OUT = frozenset({"color_message", "taskName", "data"})

#: Those that keep handlers of their own from the root's.
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "celery", "celery.task", "flower")

_structured = False

_NOTHING = nullcontext()


def structured() -> bool:
    """Whether this process logs JSON."""
    return _structured


def start(settings: TelemetrySettings, *, level: int | None = None) -> None:
    """Log JSON from here on, where the settings say so: on standard error, all loggers alike."""
    global _structured  # each process has one log
    if settings.log_format != "json":
        return
    _structured = True
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root.handlers = [handler]
    if level is not None:
        root.setLevel(level)
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_end
    threading.excepthook = _log_thread_end


def about(**fields: Any) -> AbstractContextManager[None]:  # whatever JSON has
    """Say in each line of this thread or task what it is about, where lines have fields."""
    return _about_these(fields) if _structured else _NOTHING


@contextmanager
def _about_these(fields: Mapping[str, Any]) -> Iterator[None]:
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


class JsonFormatter(logging.Formatter):
    """A record as one JSON object, without line breaks in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message; trace, what it is about, and what went wrong."""
        told = {
            **_head(record.created, record.levelname.lower(), record.name, _message(record)),
            **_ids(),
            **_about.get(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in _LEFT_OUT and not name.startswith("_"):
                told.setdefault(name, value)
        if record.exc_info and record.exc_info[0] is not None:
            told["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = self.formatStack(record.stack_info)
        return _written(told)


def line(level: str, logger: str, message: str, **fields: Any) -> str:  # whatever JSON has
    """A line as the formatter writes it, of something that was not logged here."""
    now_s = datetime.now(UTC).timestamp()
    return _written({**_head(now_s, level, logger, message), **fields})


def as_line(told: Mapping[str, Any]) -> str:
    """An object as a line of such a log."""
    return _written(told)


def _head(at_s: float, level: str, logger: str, message: str) -> dict[str, Any]:
    time = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
    return {"time": time, "level": level, "logger": logger, "message": message}


def _written(told: Mapping[str, Any]) -> str:
    try:
        return to_json(told, fallback=str, inf_nan_mode="strings").decode()
    except ValueError:  # what has no place in JSON, as names of files that are no UTF-8
        return to_json({_plain(name): _plain(value) for name, value in told.items()}).decode()


def _plain(value: object) -> object:
    """A value as text that is UTF-8; numbers stay."""
    if value is None or isinstance(value, int):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, LookupError):  # arguments that do not fit lose no line
        return f"{record.msg} {record.args}"


def _ids() -> dict[str, str]:
    if traces.tracer() is None:
        return {}
    from .tracer import current_ids

    ids = current_ids()
    return {} if ids is None else {"trace_id": ids[0], "span_id": ids[1]}


def _log_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("wherry").critical("the process ends", exc_info=(kind, error, trace))


def _log_thread_end(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread else "a thread"
    told = (args.exc_type, args.exc_value, args.exc_traceback)
    logging.getLogger("wherry").critical("%s ended", name, exc_info=told)


def this_process() -> str:
    """A name for a process among those that tell of themselves to one place."""
    return f"{socket.gethostname()}:{os.getpid()}"
