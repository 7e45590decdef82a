#!/usr/bin/env bash
# FFmpeg's libraries in PyAV 18.1.0 leave out the end of ALAC in CAF.
#
# A lossless sound of 48,000 samples makes 12 packets of 4,096, of which the last holds the 2,944 that
# are left; CAF's packet table says so (1,152 fewer). On reading, the decoder makes 2,944 samples of the
# last packet, and then 1,152 are cut from its end all the same. The file's own duration is right, and
# nothing warns. The same sound in M4A comes back whole.
#
# Seen: 46,848 of 48,000 samples (24 ms missing); 48,000 with the decoder's flag skip_manual; 48,000 from
# M4A. A sound of 8,192 samples, two whole packets, loses nothing, nor does one of 4,097: more would be
# cut than its last packet holds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PY'
import io

import av
import numpy as np

RATE = 48_000


def stored(samples, kind, codec):
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as out:
        stream = out.add_stream(codec, rate=RATE, layout="mono")
        played = (0.5 * np.sin(np.arange(samples) / 17) * 32767).astype("<i2")
        frame = av.AudioFrame.from_ndarray(played[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler("s16p", "mono", RATE)
        for piece in resampler.resample(frame):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return file.getvalue()


def heard(data, **options):
    with av.open(io.BytesIO(data)) as file:
        [stream] = file.streams.audio
        stream.codec_context.options = options
        return sum(frame.samples for frame in file.decode(stream)), stream.duration


print("av", av.__version__)
caf = stored(RATE, "caf", "alac")
print("CAF, ALAC:", heard(caf), "with skip_manual:", heard(caf, flags2="+skip_manual"))
print("M4A, ALAC:", heard(stored(RATE, "ipod", "alac")))
print("8192:", heard(stored(8192, "caf", "alac")), "4097:", heard(stored(4097, "caf", "alac")))
assert heard(caf) == (46_848, RATE)
assert heard(caf, flags2="+skip_manual") == (RATE, RATE)
assert heard(stored(RATE, "ipod", "alac"))[0] == RATE
assert heard(stored(8192, "caf", "alac")) == (8192, 8192)
assert heard(stored(4097, "caf", "alac")) == (4097, 4097)
PY
