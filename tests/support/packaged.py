"""Trained models that packages bring, made once on this machine."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from wherry.samples import packaged


@functools.cache
def model(name: str) -> Path:
    """The folder of a model in `wherry.samples.packaged.BUILDERS`.

    Kept under the system's temporary folder until the code that builds them changes.
    """
    folder = _kept() / name
    if not folder.exists():
        half = folder.with_name(f"{name}.{os.getpid()}")
        packaged.build(name, half)
        try:
            half.rename(folder)  # whole, or not there
        except OSError:
            shutil.rmtree(half)
            if not folder.exists():  # no other session was first
                raise
    return folder


@functools.cache
def _kept() -> Path:
    digest = hashlib.sha256()
    for file in sorted(Path(packaged.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return Path(tempfile.gettempdir(), f"wherry-packaged-{os.getuid()}", digest.hexdigest()[:12])
