"""Files small enough to stand in a golden example."""

from __future__ import annotations

import base64
import struct

#: A grey PNG of 8 x 8 pixels.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR4nGNsYIAAJgaKGAAmCACQXTClHgAA"
    "AABJRU5ErkJggg=="
)

#: An eighth of a second of silence as raw samples, and their rate.
SAMPLE_RATE = 16_000
PCM = struct.pack("<f", 0.0) * (SAMPLE_RATE // 8)

TEXT = "The quick brown fox jumps over the lazy dog."
