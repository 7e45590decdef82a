#!/usr/bin/env bash
# webvtt-py 0.6.0 hands WebVTT's escapes on to SRT, and loses words of SRT that stand between < and >.
#
# In WebVTT `&amp;` and `&lt;` stand for & and <; SRT has no such escapes, and both signs are text.
# Seen: `Caption.text`, which is without tags, still has `&lt;`, and so has the SRT that is written of
# it. An SRT line "3 < 4 and 4 > 3" is read as "3  3", and is written to WebVTT with a bare <, where a
# tag begins. Who wants the words has to unescape after WebVTT, and to take `raw_text` of SRT.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet webvtt-py==0.6.0
"$folder/venv/bin/python" - <<'PY'
import io

import webvtt

VTT = "WEBVTT\n\n00:00.000 --> 00:02.000\nR&amp;D: 3 &lt; 4 <i>now</i>\n"
SRT = "1\n00:00:00,000 --> 00:00:02,000\n3 < 4 and 4 > 3\n"
captions = webvtt.from_buffer(io.StringIO(VTT))
as_srt = io.StringIO()
captions.write(as_srt, format="srt")
print("WebVTT, text:", captions[0].text, "| as SRT:", as_srt.getvalue().splitlines()[-1])
assert captions[0].text == as_srt.getvalue().splitlines()[-1] == "R&amp;D: 3 &lt; 4 now"
captions = webvtt.from_buffer(io.StringIO(SRT), format="srt")
as_vtt = captions.content.splitlines()[-1]
print("SRT, text:", captions[0].text, "| raw:", captions[0].raw_text, "| as WebVTT:", as_vtt)
assert captions[0].text == "3  3" and captions[0].raw_text == as_vtt == "3 < 4 and 4 > 3"
PY
echo "as before: escapes are neither undone nor made"
