"""A backend made, loaded and warm, and its memory given back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import sys
import time
from collections.abc import Iterator

from ..protocol.errors import WherryError
from ..tasks.backends import create_backend
from ..tasks.backends.base import Backend, ModelRefused
from ..tasks.backends.device import Device
from ..tasks.catalog import ModelDeclaration
from ..tasks.check import check_model

log = logging.getLogger(__name__)


def check_servable(declaration: ModelDeclaration, handler_dir: str) -> None:
    """Raise ModelRefused for a model that is seen not to load, before its weights are read."""
    faults = [
        fault.text for fault in check_model(declaration, handler_dir=handler_dir) if fault.is_error
    ]
    if faults:
        raise ModelRefused("; ".join(faults))


def warm_backend(declaration: ModelDeclaration, device: Device, handler_dir: str) -> Backend:
    """Load a model that names its backend, and run it once. Raises ModelRefused, and whatever its
    runtime raises.
    """
    check_servable(declaration, handler_dir)
    started = time.monotonic()
    parameters = dict(declaration.parameters)
    if declaration.backend in ("handler", "sklearn") or "adapter" in parameters:
        # The operator's word, never a declaration's.
        parameters["handler_dir"] = handler_dir
    backend = create_backend(
        declaration.backend, declaration.task, declaration.source, device=device, **parameters
    )
    try:
        backend.load()
        loaded_s = time.monotonic() - started
        backend.warm_up()
    except BaseException:
        with contextlib.suppress(Exception):
            backend.close()
        raise
    log.info(
        "model %s: loaded in %.1f s, warm in %.1f s",
        declaration.name,
        loaded_s,
        time.monotonic() - started - loaded_s,
    )
    if backend.company.note:
        log.warning("model %s: %s", declaration.name, backend.company.note)
    return backend


@contextlib.contextmanager
def one_collection() -> Iterator[None]:
    """Look for garbage once, at the end, and not again at what is left: models are here to stay.

    The collector would look a dozen times while a runtime is imported, at ever more: a seventh of
    the time that it takes.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def free_memory() -> None:
    """Give what a closed model held back to the machine: cycles, and what malloc keeps."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # of another libc
            ctypes.CDLL(None).malloc_trim(0)


def reason_of(error: BaseException) -> str:
    """One line that says why a model does not load."""
    text = " ".join(str(error).split("\n", 1)[0].split())
    if isinstance(error, ModelRefused | WherryError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
