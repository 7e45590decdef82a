from __future__ import annotations

from .checks import Contract


class TestAudio(Contract):
    family = "audio"


class TestMultimodal(Contract):
    family = "multimodal"
