"""From a map of depths to the answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...vision.depth_estimation import DepthEstimationOutput, DepthMap
from .png import png


def depth_answer(depths: NDArray[np.float32]) -> DepthEstimationOutput:
    """The map, and a picture of it from black, the least, to white. depths: (H, W)."""
    height, width = depths.shape
    values = depths.astype("<f4", order="C").tobytes()
    return DepthEstimationOutput(
        predicted_depth=[DepthMap(height=height, width=width, values=values)],
        depth=[png(Image.fromarray(_grey(depths)))],
    )


def _grey(depths: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(depths.min()), float(depths.max())
    if not low < high:  # a flat map
        return np.zeros(depths.shape, dtype=np.uint8)
    return ((depths - low) / (high - low) * 255).astype(np.uint8)
