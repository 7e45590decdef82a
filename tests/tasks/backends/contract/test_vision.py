from __future__ import annotations

from .checks import Contract


class TestVision(Contract):
    family = "vision"
