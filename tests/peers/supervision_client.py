"""Run the recipe of docs/supervision.md; prints what it found as a line of JSON.

Usage: supervision_client.py SRC RECIPE, where large.png lies, with WHERRY_URL.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import sys
from typing import Any

SRC, RECIPE = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, SRC)
os.chdir(RECIPE.parent)

names: dict[str, Any] = {}
with contextlib.redirect_stdout(io.StringIO()) as printed:
    exec(compile(RECIPE.read_text(), RECIPE.name, "exec"), names)  # our own page's
found = names["found"]
told = {
    "boxes": found.xyxy.tolist(),
    "labels": found.data["class_name"].tolist() if len(found) else [],
    "scores": found.confidence.tolist() if len(found) else [],
    "printed": printed.getvalue(),
}
print(json.dumps(told))
