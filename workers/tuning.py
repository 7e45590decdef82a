"""Models that name no backend: served by the fastest, or by their own where that fails."""

from __future__ import annotations

import dataclasses
import gc
import logging

from ..tasks.backends.base import Backend
from ..tasks.backends.device import Device
from ..tasks.catalog import AUTO, ModelDeclaration
from ..tasks.check import with_own_backend
from ..tasks.tuning.candidates import own_candidate
from ..tasks.tuning.tuner import Bounds, Tuner
from ..tasks.tuning.verdict import Verdict
from .device import free_bytes
from .device import kind as device_kind
from .settings import WorkerSettings
from .warming import check_servable, reason_of, warm_backend

log = logging.getLogger(__name__)


def open_tuner(settings: WorkerSettings, device: Device) -> Tuner:
    """The tuner of a worker, or of who does by hand what a worker does."""
    # Said at every level, of `wherry up` too: a start that takes minutes tells why, and what for.
    logging.getLogger(Tuner.__module__).setLevel(logging.INFO)
    return Tuner(
        settings.tuned_dir,
        device,
        device_kind(device.name),
        is_on=settings.tune == "on",
        bounds=Bounds(budget_s=settings.tune_budget_s, max_bytes=settings.tune_max_bytes),
        handler_dir=settings.handler_dir,
        free_memory=lambda: free_bytes("cpu"),
    )


def tuned_backend(
    declaration: ModelDeclaration, device: Device, handler_dir: str, tuner: Tuner
) -> tuple[Backend, Verdict | None]:
    """A model's backend, loaded and warm, with the verdict by which it is that one; None where the
    declaration names it. Raises as `warm_backend` does.
    """
    if declaration.backend != AUTO:
        return warm_backend(declaration, device, handler_dir), None
    check_servable(declaration, handler_dir)
    verdict = tuner.verdict(declaration)
    own = with_own_backend(declaration)
    if verdict.chosen == own_candidate(own):
        return warm_backend(own, device, handler_dir), verdict
    try:
        return warm_backend(tuner.served_as(declaration, verdict), device, handler_dir), verdict
    except Exception as error:  # whatever it is, the model's own backend may yet serve it
        why = f"{verdict.chosen.name} was chosen and does not load: {reason_of(error)}"
    log.warning("model %s is served by %s: %s", declaration.name, own.backend, why)
    gc.collect()  # what was loaded so far
    backend = warm_backend(own, device, handler_dir)
    return backend, dataclasses.replace(
        verdict, chosen=own_candidate(own), why=why, is_trouble=True
    )
