"""What a cloud's library logs of what is raised, too."""

from __future__ import annotations

import subprocess
import sys

_ASKED = """
import logging
from wherry.client.annotate.sources.remote import file_system
file_system("gs://bucket/x.csv")
logging.getLogger("gcsfs").error("a traceback")
"""


def test_what_is_raised_is_not_printed_before(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    told = subprocess.run([sys.executable, "-c", _ASKED], check=True, capture_output=True)
    assert b"a traceback" not in told.stdout + told.stderr
