"""Where a runtime computes: on the device that was asked for, or the model is refused."""

from __future__ import annotations

import logging

from .base import ModelRefused
from .device import Device

log = logging.getLogger(__name__)


def place(device: Device, fault: str, remedy: str) -> str:
    """The name of what a runtime computes on: the worker's device, if the runtime has no fault.

    A GPU that `auto` chose gives way to the CPU, with a warning; one that was named does not.
    Raises ModelRefused.
    """
    if not fault:
        return device.name
    if not device.asked.startswith("auto"):
        raise ModelRefused(f"device {device.asked}: {fault}; {remedy}, or use device cpu")
    warning = f"computing on the CPU: {fault}; {remedy}"
    if warning not in device.warnings:
        device.warnings.append(warning)
        log.warning("device %s: %s", device.asked, warning)
    return "cpu"
