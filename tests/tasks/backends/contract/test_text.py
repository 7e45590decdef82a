from __future__ import annotations

from .checks import Contract


class TestText(Contract):
    family = "text"
