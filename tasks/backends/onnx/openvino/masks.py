from __future__ import annotations

from ..mask_generation import MasksInTwo
from .on_openvino import OnOpenVino


class OpenVinoMasks(OnOpenVino, MasksInTwo):
    """SAM and SAM 2 on OpenVINO."""
