"""What openWakeWord hears in sounds: a line of JSON a sound, the greatest of each word's answers.

argv: WAV files of 16 bits at 16 kHz. The first line names the folder of its graphs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import openwakeword

graphs = Path(openwakeword.__file__).parent / "resources" / "models"
words = [str(path) for path in sorted(graphs.glob("*_v0.1.onnx")) if "timer" not in path.name]
print(json.dumps({"folder": str(graphs)}))
for file in sys.argv[1:]:
    # Its answers hang on what it heard before.
    own = openwakeword.Model(wakeword_model_paths=words).predict_clip(file)
    timer = [
        {name: score for name, score in answer.items() if "_timer" in name}
        for answer in openwakeword.Model().predict_clip(file)
    ]
    answers = [{**one, **more} for one, more in zip(own, timer, strict=True)]
    print(json.dumps({name: float(max(a[name] for a in answers)) for name in answers[0]}))
