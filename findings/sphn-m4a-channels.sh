#!/usr/bin/env bash
# sphn 0.2.1 reads AAC by itself, but not AAC in an M4A or in a Matroska file.
#
# In an MP4 the number of channels stands in the track and in AAC's own header. Seen, of one second of
# stereo at 44100 Hz that PyAV 18.1.0 wrote and decodes: `sphn.read` gives two channels of the `.aac`
# (ADTS), and raises ValueError of the `.m4a` ("no channel") and of the `.mkv` ("seek error"), mono too.
# `sphn.durations` says None for both, which is also its word for a file that is not there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet sphn==0.2.1 av==18.1.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PY'
import av
import numpy as np
import sphn

RATE = 44100
tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32) / 4


def written(suffix: str, layout: str) -> str:
    """One second of a tone as AAC, which PyAV itself decodes."""
    name, channels = f"{layout}.{suffix}", ("mono", "stereo").index(layout) + 1
    with av.open(name, "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.stack([tone] * channels), format="fltp", layout=layout)
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with av.open(name) as container:
        assert container.streams.audio[0].codec_context.channels == channels
        assert sum(frame.samples for frame in container.decode(audio=0)) >= RATE
    return name


def read(name: str) -> str:
    try:
        return str(len(sphn.read(name)[0]))
    except ValueError as error:
        return str(error)


for layout, channels in (("mono", "1"), ("stereo", "2")):
    seen = {suffix: read(written(suffix, layout)) for suffix in ("aac", "m4a", "mkv")}
    lasts = sphn.durations([f"{layout}.{suffix}" for suffix in seen] + ["missing.aac"])
    print(seen, lasts)
    assert seen["aac"] == channels and "no channel" in seen["m4a"] and "seek error" in seen["mkv"]
    assert lasts[0] > 1 and lasts[1:] == [None, None, None]
PY
echo "as before: AAC is read out of neither M4A nor Matroska"
