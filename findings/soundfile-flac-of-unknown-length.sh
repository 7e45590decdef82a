#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile 1.2.2) and a FLAC whose header leaves the number of samples open.
#
# FLAC's STREAMINFO may say 0 samples: not known, as every encoder writes that streams into a pipe.
# Seen: `frames` is 2**63 - 1, and a plain `read()` raises ValueError ("array is too big") for a valid
# file of four seconds; `read(n)` gives n samples. So a length from the header is no bound: read such
# a file in blocks.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import io

import numpy as np
import soundfile

assert soundfile.__libsndfile_version__ == "1.2.2", soundfile.__libsndfile_version__
samples = np.sin(np.arange(64_000) * 0.05).astype(np.float32) / 4
file = io.BytesIO()
soundfile.write(file, samples, 16_000, format="FLAC")
flac = bytearray(file.getvalue())
# STREAMINFO follows the mark and a block header of 4 bytes each; the last 36 bits of the eight
# bytes at 10 in it are the number of samples.
packed = int.from_bytes(flac[18:26], "big")
assert packed & (2**36 - 1) == len(samples)
flac[18:26] = (packed >> 36 << 36).to_bytes(8, "big")

with soundfile.SoundFile(io.BytesIO(flac)) as opened:
    print("frames:", opened.frames)
    assert opened.frames == 2**63 - 1
    try:
        opened.read()
    except ValueError as error:
        print("read():", error)
    else:
        raise SystemExit("read() works now")
    assert opened.read(1000).shape == (1000,)
PY
echo "as before: a FLAC of unknown length cannot be read in one go"
