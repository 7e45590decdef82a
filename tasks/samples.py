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

#: As long a silence as a WAV file of 16-bit samples.
WAV = (
    b"RIFF"
    + struct.pack("<I", 36 + SAMPLE_RATE // 4)
    + b"WAVEfmt "
    + struct.pack("<IHHIIHH", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    + b"data"
    + struct.pack("<I", SAMPLE_RATE // 4)
    + bytes(SAMPLE_RATE // 4)
)

TEXT = "The quick brown fox jumps over the lazy dog."
