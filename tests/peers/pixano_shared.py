"""What the scripts that drive Pixano's clients share: the inputs, and how a line is printed.

Imports nothing but the standard library: each script runs in an environment of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path

URL, FOLDER = sys.argv[1], Path(sys.argv[2])
FRAMES = [path.read_bytes() for path in sorted(FOLDER.glob("*.png"))]
TEXTS = [base64.b64encode(frame).decode() for frame in FRAMES]

POINTS, LABELS = [[[32, 24]], [[8, 8], [60, 40]]], [[1], [1, 0]]
BOXES = [[16, 8, 48, 40]]
CLASSES = ["circle", "square"]
PROMPT = "what is this?"
#: Jobs that come at once, the last of which is canceled: it surely waits still.
AHEAD = 60


def told(call, value):
    """Print what a call came to."""
    print(json.dumps({"call": call, "value": value}, default=str))  # noqa: T201 # the test reads it


def failure(error):
    """What an error says."""
    return {"kind": type(error).__name__, "text": str(error)}


def encoded(rle):
    """A mask that was read as run lengths."""
    counts = rle.counts.decode() if isinstance(rle.counts, bytes) else rle.counts
    return {"size": list(rle.size), "counts": counts}


def pixels(mask):
    """A mask (height, width) that was decoded."""
    raw = mask.astype(bool).tobytes()
    return {"size": list(mask.shape), "pixels": hashlib.sha256(raw).hexdigest()}
